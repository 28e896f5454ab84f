"""Mask propagation: region similarity J and contour accuracy F (Perazzi et al. 2016, DAVIS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .boundary import boundary_f

_QUARTERS = 4
_RECALLED = 0.5


@dataclass(frozen=True)
class Trend:
    """One measure over the frames of one object.

    Args:
        mean: over frames, in [0, 1].
        recall: share of frames above one half.
        decay: mean of the first quarter of the frames less that of the last.
    """

    mean: float
    recall: float
    decay: float


def jaccard(prediction: NDArray[np.bool_], target: NDArray[np.bool_]) -> float:
    """Return the IoU of two (H, W) masks; 1 where both are empty."""
    union = np.count_nonzero(prediction | target)
    return float(np.count_nonzero(prediction & target) / union) if union else 1.0


def trend(values: Sequence[float]) -> Trend:
    """Summarise a measure over frames.

    The quarters are those of the benchmark: borders at round(1 + i (n - 1) / 4), from 1.

    Raises:
        ValueError: there is no frame.
    """
    if not values:
        raise ValueError("a measure over no frame has no mean")
    scores = np.asarray(values, np.float64)
    # Half a pixel more before the cut rounds halves up, as the benchmark's own + 1e-10 does.
    borders = np.floor(np.linspace(1, len(scores), _QUARTERS + 1) + 1e-10 + 0.5).astype(int) - 1
    first = scores[borders[0] : borders[1] + 1].mean()
    last = scores[borders[-2] : borders[-1] + 1].mean()
    return Trend(float(scores.mean()), float((scores > _RECALLED).mean()), float(first - last))


def video_scores(
    predictions: Sequence[NDArray[np.integer]], truths: Sequence[NDArray[np.integer]]
) -> dict[int, tuple[Trend, Trend]]:
    """Return object -> (J, F) of one video.

    As in the benchmark the objects are those of the first frame, and the first and the last frame, one given
    and one that nobody need track, are not counted.

    Args:
        predictions, truths: (H, W) ids of every frame in order, 0 background.

    Raises:
        ValueError: numbers of frames differ, or there are fewer than three.
    """
    if len(predictions) != len(truths) or len(truths) < 3:
        raise ValueError(f"{len(predictions)} predicted and {len(truths)} true frames; at least 3 are needed")
    scores: dict[int, tuple[Trend, Trend]] = {}
    for thing in np.unique(truths[0][truths[0] > 0]).tolist():
        pairs = [(p == thing, t == thing) for p, t in zip(predictions[1:-1], truths[1:-1], strict=True)]
        scores[thing] = (
            trend([jaccard(p, t) for p, t in pairs]),
            trend([boundary_f(p, t) for p, t in pairs]),
        )
    return scores
