"""What an evaluation judges by: classes of the ground truth as ids of a vocabulary, and what each image is
asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..schemas.errors import ConfigError, StageError
from ..schemas.labelmap import BACKGROUND, IGNORE, LabelMap
from ..schemas.protocols import KNOWN, KNOWN_PROTOCOL, UNKNOWN_IGNORED, ZERO_GUIDANCE, Protocol
from ..schemas.vocabulary import Vocabulary
from .entities import EntitySet
from .matching import Matcher

WITH_CAPTIONS = "+captions"
FREE_TEXT = "free_text"
Labels = NDArray[np.uint16]


@dataclass(frozen=True)
class Judge:
    """The protocols over one vocabulary and one ground truth.

    ``known``: the classes of the vocabulary and the background, at original size; things that the
    vocabulary does not hold are background, so labelling them is a mistake. ``known-ignore-unknown``: their
    pixels are not judged. The second exists only where the ground truth holds such things. A published
    protocol (:mod:`maskmill.schemas.protocols`) stands alone. ``+captions`` says that each image was asked
    only for what its own captions name.

    Where the vocabulary has no background, class 0 of the ground truth and things that the vocabulary does
    not hold are not judged, and an answer of class 0 is no answer ("zero label reduced").

    Args:
        vocabulary: class 0 is the background.
        truth_names: what the ids of the ground truth stand for; 0 is the background.
        from_captions: ask each image only for what its captions name.
        protocol: the family ``known``, or a published one.

    Raises:
        ConfigError: vocabulary and ground truth share no class but the background.
    """

    vocabulary: Vocabulary
    truth_names: tuple[str, ...]
    from_captions: bool = False
    protocol: Protocol = KNOWN_PROTOCOL

    def __post_init__(self) -> None:
        if not any(self._target_ids[1:]):
            raise ConfigError(
                f"vocabulary {self.vocabulary.name!r} names no class of the ground truth, which holds "
                f"{', '.join(self.truth_names[1:6])} ..."
            )

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names of the protocols, the strict one first."""
        names: tuple[str, ...] = (KNOWN,)
        if self.protocol != KNOWN_PROTOCOL:
            names = self.protocol.names(self.vocabulary.has_background)
        elif None in self._target_ids and self.vocabulary.has_background:
            names = (KNOWN, UNKNOWN_IGNORED)
        return tuple(name + WITH_CAPTIONS * self.from_captions for name in names)

    @property
    def reads_logits(self) -> bool:
        """Whether a segmenter's logits, where it offers any, are what the protocol looks at."""
        published = self.protocol.family != KNOWN
        return published and self.protocol.reads_logits(self.vocabulary.has_background)

    @property
    def reads_grids(self) -> bool:
        """Whether the protocol judges a segmenter's maps at its own size, where it tells one."""
        return self.protocol.grid_maps

    @property
    def details(self) -> dict[str, Any]:
        """What the protocol fixes, for people and for ``evaluations.details``."""
        window = self.protocol.window
        rule = "class" if self.protocol.readings else str(self.protocol.background)
        return {
            "background": rule if self.vocabulary.has_background else "not judged",
            "wording": self.vocabulary.name,
            "resize": self.protocol.resize,
            "size": self.protocol.size,
            "window": None if window is None else [window.crop, window.stride],
            "truth_short_side": self.protocol.truth_short_side,
            "min_foreground": self.protocol.min_foreground,
            "renames": {name: list(words) for name, words in self.vocabulary.renames.items()},
        }

    def counts(self, truth: Labels) -> bool:
        """Say whether the protocol judges an image with this (H, W) ground truth at all."""
        least = self.protocol.min_foreground
        return least == 0 or int(np.count_nonzero((truth != BACKGROUND) & (truth != IGNORE))) >= least

    def targets(self, truth: Labels) -> list[Labels]:
        """Return the (H, W) ids of the vocabulary to be met, one map for each protocol that has its own."""
        unknown = (BACKGROUND, IGNORE)[: 1 if self.protocol.readings else len(self.protocols)]
        return [self._table(rule)[truth] for rule in unknown]

    def compared(self, label_map: LabelMap, truth: Labels) -> tuple[Labels, list[Labels]]:
        """Return what was answered and the targets of all protocols, at the size that is judged.

        A map at another size than the image's is a segmenter's own grid, which is resized as OpenCV does.
        """
        side = self.protocol.truth_short_side
        sized = truth if side is None else nearest(truth, _short_side(truth.shape, side))
        answer = self.answered(label_map)
        if answer.shape != truth.shape:
            return nearest_corner(answer, sized.shape), self.targets(sized)
        return nearest(answer, sized.shape), self.targets(sized)

    def asked(self, captions: Sequence[str | None]) -> Vocabulary:
        """Return what an image with these captions is asked: the whole vocabulary, or the part that they
        name.
        """
        if not self.from_captions:
            return self.vocabulary
        named = {entity for caption in captions if caption for entity in self._matcher(caption).entities}
        classes = (c for i, c in enumerate(self.vocabulary.classes) if i == BACKGROUND or c.name in named)
        return self.vocabulary.model_copy(update={"classes": tuple(classes)})

    def answered(self, label_map: LabelMap) -> Labels:
        """Return a segmenter's (H, W) labels as ids of the vocabulary, by the protocol's background rule.

        Raises:
            ConfigError: the labels are free text, which only ``zero-guidance`` judges.
            StageError: a label is no class of the vocabulary.
        """
        table = np.full(IGNORE + 1, IGNORE, np.uint16)
        table[: len(label_map.names)] = self._ids_of(label_map)
        threshold = self.protocol.background.threshold
        if not self.vocabulary.has_background:
            table[BACKGROUND] = IGNORE
            threshold = None
        ids = table[label_map.labels]
        if threshold is not None:
            ids[label_map.scores < np.float16(threshold)] = BACKGROUND
        return ids

    def _ids_of(self, label_map: LabelMap) -> list[int]:
        if label_map.label_kind == FREE_TEXT:
            raise ConfigError(
                f"protocol {self.protocol.family!r} judges the classes that a segmenter was asked for, and "
                f"this one answers in words of its own: use --protocol {ZERO_GUIDANCE}, or an option of the "
                "segmenter by which it takes the given classes"
            )
        ids = {name: i for i, name in enumerate(self.vocabulary.names)}
        if strange := [name for name in label_map.names if name not in ids]:
            raise StageError(
                f"the segmenter answers {strange[0]!r}, which is no class of {self.vocabulary.name!r}"
            )
        return [ids[name] for name in label_map.names]

    @cached_property
    def _target_ids(self) -> tuple[int | None, ...]:
        """Per id of the ground truth the id in the vocabulary, None where it holds no such class."""
        ids = {name: i for i, c in enumerate(self.vocabulary.classes) for name in (*c.synonyms, c.name)}
        return (BACKGROUND, *(ids.get(name) for name in self.truth_names[1:]))

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(EntitySet.of_vocabulary(self.vocabulary))

    def _table(self, unknown: int) -> Labels:
        table = np.full(IGNORE + 1, IGNORE, np.uint16)
        table[: len(self._target_ids)] = [unknown if i is None else i for i in self._target_ids]
        if not self.vocabulary.has_background:
            table[table == BACKGROUND] = IGNORE
        return table


def nearest(labels: Labels, size: tuple[int, ...]) -> Labels:
    """Resize (H, W) ids to ``size`` (height, width), each pixel taking the nearest one by pixel centres."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels.astype(np.int32)).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized).astype(np.uint16)


def nearest_corner(labels: Labels, size: tuple[int, ...]) -> Labels:
    """Resize (H, W) ids to ``size`` (height, width) as OpenCV's INTER_NEAREST does: pixel i takes the whole
    part of i times the ratio.
    """
    rows, columns = (
        np.minimum(np.floor(np.arange(new) * (1.0 / (new / old))).astype(np.intp), old - 1)
        for new, old in zip(size, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def _short_side(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Return (height, width) with this short side; the long one is cut off to whole pixels."""
    height, width = shape
    if height <= width:
        return side, int(side * width / height)
    return int(side * height / width), side
