from __future__ import annotations

import numpy as np

from maskmill.catalogs.demo.shapes import ellipse, mirror, rect, shift, smooth, turn


def test_turning_by_a_quarter_moves_right_to_below() -> None:
    assert np.allclose(turn(np.array([(1.0, 0.0)]), 90.0), [(0.0, 1.0)])


def test_a_smooth_curve_passes_through_its_points() -> None:
    knots = [(0.0, -1.0), (0.8, 0.2), (-0.5, 0.9)]
    for closed in (True, False):
        curve = smooth(knots, closed=closed)
        assert all(np.linalg.norm(curve - knot, axis=1).min() < 1e-9 for knot in knots)


def test_an_ellipse_keeps_its_radii() -> None:
    points = ellipse(0.2, -0.1, 0.5, 0.25)
    assert np.allclose(np.abs(points - (0.2, -0.1)).max(axis=0), (0.5, 0.25))


def test_rounded_corners_stay_inside_the_rectangle() -> None:
    points = rect(-0.5, -0.2, 0.4, 0.6, 0.1)
    assert np.allclose(points.min(axis=0), (-0.5, -0.2))
    assert np.allclose(points.max(axis=0), (0.4, 0.6))
    assert np.linalg.norm(points - (-0.5, -0.2), axis=1).min() > 0.03


def test_mirror_and_shift() -> None:
    assert mirror([(0.3, 0.1)]).tolist() == [[-0.3, 0.1]]
    assert shift([(0.5, 0.25)], 0.5, -1.0).tolist() == [[1.0, -0.75]]
