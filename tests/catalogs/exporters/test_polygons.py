from __future__ import annotations

import numpy as np
import pytest
from exporting import disc, filled_polygon, iou, ring
from numpy.typing import NDArray

from maskmill.catalogs.exporters.polygons import polygon_of, simplified

SHAPES = {
    "disc": disc(64, 48, 40),
    "small disc": disc(10, 10, 7),
    "ring": ring(64, 48, 40, 18),
    "two holes": disc(64, 48, 45) & ~disc(45, 48, 12) & ~disc(84, 48, 12),
    "bar": np.pad(np.ones((4, 60), bool), 3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_smooth_shapes_survive_simplification(name: str) -> None:
    mask = SHAPES[name]
    polygon = polygon_of(mask, 0.75, 0.5, 1)
    exact = polygon_of(mask, 0.0, 0.5, 1)
    assert iou(filled_polygon(polygon, mask.shape), mask) > 0.95
    assert len(polygon) <= len(exact)


@pytest.mark.parametrize("name", ["disc", "small disc", "bar"])
def test_without_tolerance_nothing_is_lost(name: str) -> None:
    mask = SHAPES[name]
    assert (filled_polygon(polygon_of(mask, 0.0, 0.5, 1), mask.shape) == mask).all()


def test_a_disc_needs_few_corners() -> None:
    assert len(polygon_of(SHAPES["disc"], 0.75, 0.5, 1)) < 70
    assert len(polygon_of(SHAPES["disc"], 0.0, 0.5, 1)) > 150


def test_small_holes_are_filled_and_large_ones_stay() -> None:
    mask = disc(64, 48, 40)
    mask[40:44, 40:44] = mask[48:68, 64:84] = False
    polygon = filled_polygon(polygon_of(mask, 0.0, 0.5, 17), mask.shape)
    assert polygon[41, 41]
    assert not polygon[58, 74]


def test_simplification_keeps_what_lies_further_off_than_the_tolerance() -> None:
    points = np.array([[0, 0], [5, 0.4], [10, 0], [10, 10], [5, 12], [0, 10]], float)
    kept: NDArray[np.float64] = simplified(points, 0.5)
    assert [5, 0.4] not in kept.tolist()
    assert [5, 12] in kept.tolist()
    assert len(kept) == 5


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 2)])
def test_thin_parts_keep_at_least_three_corners(shape: tuple[int, int]) -> None:
    for inset in (0.0, 0.5):
        polygon = polygon_of(np.ones(shape, bool), 0.75, inset, 1)
        assert len(polygon) >= 3
        assert np.isfinite(polygon).all()
    assert filled_polygon(polygon, shape).all()
