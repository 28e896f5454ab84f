"""Judge one shard by a protocol that looks at segments: free text, or groups without names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..models.metrics import BoundaryScores, ConfusionMatrix
from ..schemas.errors import MaskmillError, StageError
from ..schemas.protocols import GROUPING
from ..schemas.samples import Shard
from .evaluate_shard import Counted, EvaluateJob, Seen, ShardScores, Share, load_subject
from .pool import WorkerFault, one_line

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter


@dataclass(frozen=True)
class Reading:
    """What one way of giving classes to segments makes of an image.

    Args:
        answer: (H, W) uint16 ids of the vocabulary, 65535 where there is none.
        shares: name of a metric -> (sum, number of what is summed over), to be added up over images.
        score: of the image, for the list of images; in [0, 1] or nan.
    """

    answer: NDArray[np.uint16]
    shares: Mapping[str, Share]
    score: float


class SegmentJudge(Protocol):
    """Judges one image after another.

    Attributes:
        weights: what -> id or sha256 of models other than the segmenter's.
        notes: for ``evaluations.details``: what cannot be measured, and why.
    """

    weights: Mapping[str, str]
    notes: Mapping[str, Any]

    def __call__(self, image: NDArray[np.uint8], target: NDArray[np.uint16]) -> list[Reading]:
        """Segment an (H, W, 3) image and hold it against its (H, W) target.

        Returns:
            One entry for each reading of the protocol; the last ones may be missing, for all images alike.
        """
        ...


@dataclass
class _Tally:
    """The sums of one reading over the images of a shard."""

    matrix: ConfusionMatrix
    shares: dict[str, Share] = field(default_factory=dict)

    def update(self, reading: Reading, target: NDArray[np.uint16]) -> None:
        self.matrix.update(reading.answer, target)
        for name, (value, count) in reading.shares.items():
            before = self.shares.get(name, (0.0, 0))
            self.shares[name] = (before[0] + value, before[1] + count)


@dataclass(frozen=True)
class SegmentJob(EvaluateJob):
    """As :class:`EvaluateJob`, for the protocols ``zero-guidance`` and ``grouping``; calling it raises
    ``ConfigError`` where the segmenter cannot be judged by its protocol.
    """

    def __call__(self) -> Callable[[Shard], ShardScores]:
        segmenter = load_subject(self.subject, self.config.device)
        judge = self._segment_judge(segmenter)
        return lambda shard: self._score_segments(segmenter, judge, shard)

    def _segment_judge(self, segmenter: Segmenter) -> SegmentJudge:
        if self.judge.protocol.family == GROUPING:
            from .grouping_judging import GroupingJudge

            return GroupingJudge(segmenter, self.judge.vocabulary)
        from ..models.device import resolve_device
        from ..models.zero_guidance.sentences import load_sentence_encoder
        from .free_text_judging import FreeTextJudge

        device = getattr(self.subject, "device", self.config.device)
        sentences = load_sentence_encoder(self.config.sentence_encoder, resolve_device(device))
        return FreeTextJudge(segmenter, sentences, self.judge.vocabulary)

    def _score_segments(self, segmenter: Segmenter, judge: SegmentJudge, shard: Shard) -> ShardScores:
        classes = len(self.judge.vocabulary.classes)
        tallies = [_Tally(ConfusionMatrix(classes)) for _ in self.judge.protocols]
        boundary = BoundaryScores(classes) if self.config.boundary else None
        samples, images, found = Counted(self.reader.read(shard)), [], 0
        for seen in self.seen(samples):
            target = self.judge.targets(self.truth_of(seen))[0]
            readings = _guarded(judge, seen, target)
            found = len(readings)
            for tally, reading in zip(tallies, readings, strict=False):
                tally.update(reading, target)
            if boundary is not None:
                boundary.update(readings[0].answer, target)
            images.append((seen.sample.key, readings[0].score))
        return ShardScores(
            counts=tuple(tally.matrix.counts for tally in tallies[:found]),
            images=tuple(images),
            subject_id=segmenter.id,
            weights={**segmenter.weights, **judge.weights},
            boundary=None if boundary is None else (boundary.total, boundary.images),
            left_out=samples.count - len(images),
            shares=tuple(tally.shares for tally in tallies[:found]),
            notes=dict(judge.notes),
        )


def _guarded(judge: SegmentJudge, seen: Seen, target: NDArray[np.uint16]) -> Sequence[Reading]:
    """Judge one image; whatever a segmenter raises over it says which one it was.

    Raises:
        StageError: the segmenter failed on the image.
        WorkerFault: the GPU is lost to this process.
    """
    try:
        return judge(seen.image, target)
    except (MaskmillError, WorkerFault):
        raise
    except Exception as err:  # a segmenter may raise anything over an odd image
        if type(err).__name__ == "AcceleratorError":
            raise WorkerFault(f"the GPU failed: {one_line(err)}") from err
        raise StageError(f"image {seen.sample.key!r} cannot be judged: {one_line(err)}") from err
