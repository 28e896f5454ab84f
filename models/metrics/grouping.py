"""Bottom-up grouping: how well segments without names meet those of the ground truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import IGNORE


def best_overlaps(groups: NDArray[np.integer], truth: NDArray[np.integer]) -> dict[int, float]:
    """Return for each segment of the truth the IoU with the group that overlaps it best.

    Args:
        groups: (H, W) ids of groups, any integers.
        truth: (H, W) ids of segments; 65535 is not judged and counts in no union.

    Raises:
        ValueError: shapes differ.
    """
    if groups.shape != truth.shape:
        raise ValueError(f"groups {groups.shape} and truth {truth.shape} differ in shape")
    judged = truth != IGNORE
    segments, which = np.unique(truth[judged], return_inverse=True)
    found, group = np.unique(groups[judged], return_inverse=True)
    if not segments.size:
        return {}
    common = np.bincount(which * len(found) + group, minlength=len(segments) * len(found))
    common = common.reshape(len(segments), len(found))
    union = common.sum(1, keepdims=True) + common.sum(0, keepdims=True) - common
    best = (common / union).max(1)
    return dict(zip(segments.tolist(), best.tolist(), strict=True))


def grouping_jaccard(
    groups: NDArray[np.integer], truth: NDArray[np.integer], background: int | None = 0
) -> float:
    """Return the Jaccard similarity of one image: the mean best overlap of its segments, in [0, 1].

    Args:
        background: segment of the truth that is left out; None leaves out none.

    Returns:
        nan where no segment is left.
    """
    overlaps = [iou for segment, iou in best_overlaps(groups, truth).items() if segment != background]
    return float(np.mean(overlaps)) if overlaps else float("nan")
