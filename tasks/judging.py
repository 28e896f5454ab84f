"""What an evaluation judges by: classes of the ground truth as ids of a vocabulary, and what each image is
asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..schemas.errors import ConfigError
from ..schemas.labelmap import BACKGROUND, IGNORE, LabelMap
from ..schemas.vocabulary import Vocabulary
from .entities import EntitySet
from .matching import Matcher

KNOWN = "known"
UNKNOWN_IGNORED = "known-ignore-unknown"
WITH_CAPTIONS = "+captions"


@dataclass(frozen=True)
class Judge:
    """The protocols over one vocabulary and one ground truth.

    ``known``: the classes of the vocabulary and the background, at original size; things that the
    vocabulary does not hold are background, so labelling them is a mistake. ``known-ignore-unknown``: their
    pixels are not judged. The second exists only where the ground truth holds such things. ``+captions``
    says that each image was asked only for what its own captions name.

    Args:
        vocabulary: class 0 is the background.
        truth_names: what the ids of the ground truth stand for; 0 is the background.
        from_captions: ask each image only for what its captions name.

    Raises:
        ConfigError: vocabulary and ground truth share no class but the background.
    """

    vocabulary: Vocabulary
    truth_names: tuple[str, ...]
    from_captions: bool = False

    def __post_init__(self) -> None:
        if not any(self._target_ids[1:]):
            raise ConfigError(
                f"vocabulary {self.vocabulary.name!r} names no class of the ground truth, which holds "
                f"{', '.join(self.truth_names[1:6])} ..."
            )

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names of the protocols, the strict one first."""
        names = (KNOWN, UNKNOWN_IGNORED) if None in self._target_ids else (KNOWN,)
        return tuple(name + WITH_CAPTIONS * self.from_captions for name in names)

    def targets(self, truth: NDArray[np.uint16]) -> list[NDArray[np.uint16]]:
        """Return the (H, W) ids of the vocabulary to be met, one map for each protocol."""
        unknown = (BACKGROUND, IGNORE)[: len(self.protocols)]
        return [self._table(rule)[truth] for rule in unknown]

    def asked(self, captions: Sequence[str | None]) -> Vocabulary:
        """Return what an image with these captions is asked: the whole vocabulary, or the part that they
        name.
        """
        if not self.from_captions:
            return self.vocabulary
        named = {entity for caption in captions if caption for entity in self._matcher(caption).entities}
        classes = (c for i, c in enumerate(self.vocabulary.classes) if i == BACKGROUND or c.name in named)
        return self.vocabulary.model_copy(update={"classes": tuple(classes)})

    def answered(self, label_map: LabelMap) -> NDArray[np.uint16]:
        """Return a segmenter's (H, W) labels as ids of the vocabulary."""
        table = np.full(IGNORE + 1, IGNORE, np.uint16)
        table[: len(label_map.names)] = [self.vocabulary.names.index(name) for name in label_map.names]
        return table[label_map.labels]

    @cached_property
    def _target_ids(self) -> tuple[int | None, ...]:
        """Per id of the ground truth the id in the vocabulary, None where it holds no such class."""
        ids = {name: i for i, c in enumerate(self.vocabulary.classes) for name in (*c.synonyms, c.name)}
        return (BACKGROUND, *(ids.get(name) for name in self.truth_names[1:]))

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(EntitySet.of_vocabulary(self.vocabulary))

    def _table(self, unknown: int) -> NDArray[np.uint16]:
        table = np.full(IGNORE + 1, IGNORE, np.uint16)
        table[: len(self._target_ids)] = [unknown if i is None else i for i in self._target_ids]
        return table
