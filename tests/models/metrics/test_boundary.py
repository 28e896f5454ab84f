from __future__ import annotations

import math

import numpy as np
import pytest

from maskmill.models.metrics import BoundaryScores, boundary_f, boundary_pixels
from maskmill.models.metrics.boundary import TOLERANCE
from maskmill.schemas.labelmap import IGNORE


def _boundary(mask: np.ndarray) -> set[tuple[int, int]]:
    """Boundary pixels by looking at one pixel after the other."""
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            below, right = min(y + 1, height - 1), min(x + 1, width - 1)
            others = {mask[y, right], mask[below, x], mask[below, right]}
            if others != {mask[y, x]}:
                found.add((y, x))
    return found


def _f(prediction: np.ndarray, target: np.ndarray, pixels: float) -> float:
    """F by the distances of all pairs of boundary pixels."""
    found, wanted = _boundary(prediction), _boundary(target)
    if not found or not wanted:
        return float(bool(found) == bool(wanted))

    def share(ours: set[tuple[int, int]], others: set[tuple[int, int]]) -> float:
        return sum(min(math.dist(a, b) for b in others) <= pixels for a in ours) / len(ours)

    precision, recall = share(found, wanted), share(wanted, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, 17, 23), bool)
    for mask in masks:
        top, left = rng.integers(0, 10, 2)
        mask[top : top + rng.integers(1, 9), left : left + rng.integers(1, 14)] = True
    return masks[0], masks[1]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pixels", [1, 2, 3.5])
def test_f_equals_the_distances_of_all_pairs(seed: int, pixels: float) -> None:
    prediction, target = _masks(seed)
    assert {tuple(p) for p in np.argwhere(boundary_pixels(target)).tolist()} == _boundary(target)
    assert boundary_f(prediction, target, pixels) == pytest.approx(_f(prediction, target, pixels))


def test_a_tolerance_below_one_is_a_share_of_the_diagonal_rounded_up() -> None:
    prediction, target = _masks(3)
    pixels = math.ceil(0.07 * math.hypot(17, 23))
    assert boundary_f(prediction, target, 0.07) == boundary_f(prediction, target, pixels)


def test_empty_masks() -> None:
    nothing, something = np.zeros((5, 5), bool), np.eye(5, dtype=bool)
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(nothing, something) == boundary_f(something, nothing) == 0.0
    with pytest.raises(ValueError, match="differ in shape"):
        boundary_f(nothing, something[:4])


def test_scores_are_means_over_images_and_then_over_the_classes_that_are_there() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 3, (2, 12, 12)) for _ in range(4)]
    images[0][1][images[0][1] == 2] = 1
    scores = BoundaryScores(5)
    halves = [BoundaryScores(5), BoundaryScores(5)]
    expected: dict[int, list[float]] = {}
    for i, (prediction, target) in enumerate(images):
        scores.update(prediction, target)
        halves[i % 2].update(prediction, target)
        for label in np.unique(target).tolist():
            pixels = math.ceil(TOLERANCE * math.hypot(12, 12))
            expected.setdefault(label, []).append(_f(prediction == label, target == label, pixels))
    assert scores.mean() == pytest.approx(np.mean([np.mean(v) for v in expected.values()]))
    assert scores.images.tolist() == [4, 4, 3, 0, 0]
    halves[0].merge(halves[1].total, halves[1].images)
    assert halves[0].mean() == pytest.approx(scores.mean())


def test_unjudged_pixels_change_nothing() -> None:
    target = np.zeros((10, 10), np.uint16)
    target[:5] = 1
    target[:, 8:] = IGNORE
    prediction = np.where(target == IGNORE, 1, target)
    scores = BoundaryScores(2)
    scores.update(prediction, target)
    assert scores.mean() == 1.0
    assert math.isnan(BoundaryScores(2).mean())
