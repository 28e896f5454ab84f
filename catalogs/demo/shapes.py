"""Outlines as point arrays (N, 2) float64 in the unit square [-1, 1] x [-1, 1], x to the right, y down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

Points = np.ndarray
PointsLike = np.ndarray | Sequence[tuple[float, float]]


def ellipse(cx: float, cy: float, rx: float, ry: float | None = None, degrees: float = 0.0) -> Points:
    """Return a closed ellipse about (cx, cy), turned clockwise by `degrees`; a circle without `ry`."""
    unit = _circle(36 if max(rx, ry or rx) > 0.12 else 18)
    local = unit * (rx, rx if ry is None else ry)
    return (turn(local, degrees) if degrees else local) + (cx, cy)


def arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float) -> Points:
    """Return 25 points of an ellipse from `start` to `stop` degrees, clockwise from the positive x axis."""
    angles = np.radians(np.linspace(start, stop, 25))
    return np.stack([cx + rx * np.cos(angles), cy + ry * np.sin(angles)], axis=1)


def rect(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Points:
    """Return an upright rectangle with corners rounded by `radius`."""
    if radius <= 0.0:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    steps = np.radians(np.arange(0.0, 91.0, 18.0))
    corner = np.stack([np.cos(steps), np.sin(steps)], axis=1) * radius
    centres = ((x1 - radius, y1 - radius), (x0 + radius, y1 - radius), (x0 + radius, y0 + radius))
    parts = [
        turn(corner, 90.0 * k) + centre for k, centre in enumerate((*centres, (x1 - radius, y0 + radius)))
    ]
    return np.concatenate(parts)


def smooth(points: PointsLike, closed: bool = True) -> Points:
    """Return a uniform Catmull-Rom curve through `points`, eight samples for each span."""
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
    spans = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]], axis=1)
    curve = (_basis() @ spans).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


def turn(points: Points, degrees: float) -> Points:
    """Turn `points` clockwise (y points down) about the origin."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def shift(points: PointsLike, x: float, y: float) -> Points:
    """Move `points` by (x, y)."""
    return np.asarray(points, dtype=np.float64) + np.array((x, y))


def mirror(points: PointsLike) -> Points:
    """Reflect `points` in the y axis."""
    return np.asarray(points, dtype=np.float64) * (-1.0, 1.0)


@cache
def _circle(count: int) -> Points:
    angles = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@cache
def _basis(samples: int = 8) -> np.ndarray:
    t = np.arange(samples)[:, None] / samples
    powers = np.concatenate([t**0, t, t**2, t**3], axis=1)
    uniform = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2.0
    return powers @ uniform
