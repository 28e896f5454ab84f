"""Judge segments that name themselves against fixed classes (Zero-guidance segmentation, Sec. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..models.metrics.free_text import (
    SEGMENT_THRESHOLD,
    TEXT_THRESHOLD,
    UNASSIGNED,
    FreeTextScore,
    reassign,
    text_generation_quality,
)
from ..models.zero_guidance.sentences import SentenceEncoder
from ..schemas.errors import StageError
from ..schemas.labelmap import BACKGROUND, IGNORE
from ..schemas.vocabulary import Vocabulary
from .class_words import ClassWords
from .evaluate_shard import Share
from .segment_job import Reading
from .segmenting import segment


@dataclass(frozen=True)
class FoundSegments:
    """The segments of one image.

    Args:
        which: (H, W) int64 index of each pixel's segment.
        texts: of each segment; "" where there are no words.
        vectors: (S, E) unit vectors of the segments in the space of the segmenter's texts; None where it
            does not tell them.
    """

    which: NDArray[np.int64]
    texts: tuple[str, ...]
    vectors: NDArray[np.float32] | None


class FreeTextJudge:
    """Label reassignment by text and by segment, IoU and Segment Recall of both, Text Generation Quality.

    Text to text (Eq. 5) needs a segmenter's label maps only. The rest needs more of it:

    - ``segments(image)``, a list of :class:`maskmill.models.zero_guidance.merging.Segment`, and
      ``embed_classes(vocabulary)``, (C, E) unit vectors in the space of the segments', for segment to text
      (Eq. 6);
    - ``describe(image, masks)``, the same list for given (S, H, W) bool masks, for Text Generation Quality,
      on one mask for each class but the background that the ground truth of an image holds.

    What it has not is left out, and :attr:`notes` say so. A class of several words is met by any of them. A
    segment without a word, or whose word is too far from all classes, is given none.

    Args:
        segmenter: what is judged.
        sentences: compares texts.
        vocabulary: the dataset's classes; without a background, class 0 is no class.
    """

    def __init__(self, segmenter: Any, sentences: SentenceEncoder, vocabulary: Vocabulary) -> None:
        self._segmenter, self._vocabulary = segmenter, vocabulary
        self._words = ClassWords(sentences, vocabulary)
        self._first = 0 if vocabulary.has_background else 1
        self._by_segment = _offers(segmenter, "segments") and _offers(segmenter, "embed_classes")
        self._describes = _offers(segmenter, "describe")
        self._classes = self._class_vectors() if self._by_segment else None
        self.weights: Mapping[str, str] = {"sentence_encoder": sentences.id}
        self.notes: Mapping[str, Any] = self._notes(sentences.id)

    def __call__(self, image: NDArray[np.uint8], target: NDArray[np.uint16]) -> list[Reading]:
        """Return the reading by text, and that by segment where there is one."""
        found = self._find(image)
        by_text = self._words.nearest(found.texts, TEXT_THRESHOLD)
        quality = self._quality(image, target) if self._describes else {}
        readings = [self._reading(found, by_text, target, quality)]
        if self._classes is not None and found.vectors is not None:
            nearest = reassign(found.vectors, self._classes, SEGMENT_THRESHOLD)
            by_segment = np.where(nearest == UNASSIGNED, UNASSIGNED, nearest + self._first)
            readings.append(self._reading(found, by_segment, target, {}))
        return readings

    def _find(self, image: NDArray[np.uint8]) -> FoundSegments:
        if _offers(self._segmenter, "segments"):
            return painted_segments(self._segmenter.segments(image), (image.shape[0], image.shape[1]))
        (found,) = segment(self._segmenter, [image], [self._vocabulary])
        if isinstance(found, Exception):
            raise StageError(f"the segmenter failed: {found}") from found
        # What a map calls its background is no text of a segment, but where that is a class.
        texts = (found.names[BACKGROUND] if self._vocabulary.has_background else "", *found.names[1:], "")
        nothing = len(texts) - 1
        which = np.where(found.labels == IGNORE, nothing, found.labels).astype(np.int64)
        return FoundSegments(which, texts, None)

    def _reading(
        self,
        found: FoundSegments,
        assigned: NDArray[np.int64],
        target: NDArray[np.uint16],
        more: Mapping[str, Share],
    ) -> Reading:
        score = FreeTextScore(len(self._vocabulary.classes))
        ious = score.class_ious(found.which, assigned, target)
        held = ious[~np.isnan(ious)]
        image_iou = float(held.mean()) if len(held) else float("nan")
        shares: dict[str, Share] = {
            "image_iou": (image_iou if len(held) else 0.0, min(len(held), 1)),
            "segment_recall": (float((held > score.iou_threshold).sum()), len(held)),
            **more,
        }
        answer = np.where(assigned == UNASSIGNED, IGNORE, assigned).astype(np.uint16)[found.which]
        return Reading(answer, shares, image_iou)

    def _quality(self, image: NDArray[np.uint8], target: NDArray[np.uint16]) -> dict[str, Share]:
        classes = [c for c in np.unique(target).tolist() if c not in (BACKGROUND, IGNORE)]
        if not classes:
            return {}
        described = self._segmenter.describe(image, np.stack([target == c for c in classes]))
        predicted, names = self._words.pairs([s.described.text for s in described], classes)
        right = text_generation_quality(predicted, names, TEXT_THRESHOLD) * len(classes)
        return {"text_generation_quality": (right, len(classes))}

    def _class_vectors(self) -> NDArray[np.float32]:
        vectors = self._segmenter.embed_classes(self._vocabulary)
        return torch.as_tensor(vectors).float().cpu().numpy()[self._first :]

    def _notes(self, sentences: str) -> dict[str, Any]:
        missing = {
            "segment-text": None if self._by_segment else "the segmenter tells no vectors of its segments",
            "text_generation_quality": None
            if self._describes
            else "the segmenter does not describe given masks",
        }
        return {
            "sentence_encoder": sentences,
            "thresholds": {"text": TEXT_THRESHOLD, "segment": SEGMENT_THRESHOLD},
            "not_measured": {name: reason for name, reason in missing.items() if reason},
        }


def painted_segments(segments: Sequence[Any], size: tuple[int, int]) -> FoundSegments:
    """Return segments at the image's (height, width), each pixel of the nearest one of their masks.

    Args:
        segments: disjoint, and together the whole image; of
            :class:`maskmill.models.zero_guidance.merging.Segment`.
    """
    which = torch.stack([s.mask for s in segments]).int().argmax(dim=0)
    full = F.interpolate(which[None, None].float(), size, mode="nearest-exact")[0, 0].long()
    vectors = torch.stack([s.embedding for s in segments]).float().cpu().numpy()
    return FoundSegments(full.cpu().numpy(), tuple(s.described.text for s in segments), vectors)


def _offers(segmenter: object, method: str) -> bool:
    return callable(getattr(segmenter, method, None))
