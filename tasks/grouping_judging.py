"""Judge groups without names: each segment of the ground truth against the group that fits it best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.metrics import grouping_jaccard
from ..schemas.errors import ConfigError
from ..schemas.labelmap import BACKGROUND, IGNORE
from ..schemas.vocabulary import Vocabulary
from .segment_job import Reading


class GroupingJudge:
    """Bottom-up grouping (CLIPpy, Sec. 3.5): Jaccard by best overlap, the background's segment left out.

    The answer by which mIoU and pixel accuracy are taken has each group named by the ground truth, as the
    class that most of its judged pixels are of: what could be had from these groups if they were named right.

    Args:
        segmenter: has a method ``groups``, (H, W, 3) uint8 to (H, W) integer ids of groups.

    Raises:
        ConfigError: it has none.
    """

    weights: Mapping[str, str] = {}
    notes: Mapping[str, Any] = {"answers": "each group by the class that most of its pixels are of"}

    def __init__(self, segmenter: Any, vocabulary: Vocabulary) -> None:
        if not callable(getattr(segmenter, "groups", None)):
            raise ConfigError(
                f"segmenter {segmenter.id!r} makes no groups: protocol 'grouping' needs one with a method "
                "groups(image), such as clippy"
            )
        self._groups, self._classes = segmenter.groups, len(vocabulary.classes)

    def __call__(self, image: NDArray[np.uint8], target: NDArray[np.uint16]) -> list[Reading]:
        groups = np.asarray(self._groups(image)).astype(np.int64)
        if groups.shape != target.shape:
            raise ValueError(f"groups {groups.shape} for a ground truth of {target.shape}")
        jaccard = grouping_jaccard(groups, target, BACKGROUND)
        held = not np.isnan(jaccard)
        answer = named_by_truth(groups, target, self._classes)
        return [Reading(answer, {"jaccard": (jaccard if held else 0.0, int(held))}, jaccard)]


def named_by_truth(groups: NDArray[np.int64], target: NDArray[np.uint16], classes: int) -> NDArray[np.uint16]:
    """Return the (H, W) class that most judged pixels of each pixel's group have; the lowest of equals.

    Args:
        groups: (H, W) ids.
        target: (H, W) classes from 0 to ``classes - 1``, or 65535 where nothing is judged.
    """
    found, which = np.unique(groups, return_inverse=True)
    which = which.reshape(groups.shape)
    judged = target != IGNORE
    votes = np.bincount(which[judged] * classes + target[judged], minlength=len(found) * classes)
    votes = votes.reshape(len(found), classes)
    names = np.where(votes.any(axis=1), votes.argmax(axis=1), IGNORE).astype(np.uint16)
    return names[which]
