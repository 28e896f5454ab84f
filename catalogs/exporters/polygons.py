"""One simplified polygon for a part of a mask, its holes joined to its outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from .contours import Points, trace

_FINEST = 0.02


def polygon_of(pixels: NDArray[np.bool_], tolerance: float, inset: float, min_hole: int) -> Points:
    """Return the polygon of an 8-connected part.

    Formats that know no holes take an outline that goes through a hole by a seam of no width, and back; it is
    filled by the even-odd rule. Holes smaller than ``min_hole`` pixels are filled.

    Args:
        pixels: (h, w) bool, one part.
        tolerance: how far a corner that is left out may lie off, in pixels; 0 keeps all. On small parts it
            is at most a fiftieth of the root of their area, as they would lose their shape.
        inset: as for :func:`trace`.

    Returns:
        (N, 2) x and y in pixels from the upper left corner of the box, at least three.
    """
    outline, *holes = trace(_without_holes(pixels, min_hole), inset)
    tolerance = min(tolerance, _FINEST * float(np.sqrt(pixels.sum())))
    polygon = simplified(outline, tolerance)
    for hole in holes:
        polygon = _joined(polygon, simplified(hole, tolerance))
    return polygon


def simplified(points: Points, tolerance: float) -> Points:
    """Leave corners out of a closed polygon (Douglas and Peucker 1973), at least three remain.

    Args:
        points: (N, 2).
        tolerance: the furthest that a corner left out lies off the new edges.
    """
    if tolerance <= 0 or len(points) <= 4:
        return points
    far = int(np.argmax(((points - points[0]) ** 2).sum(axis=1)))
    closed = np.concatenate([points, points[:1]])
    keep = np.zeros(len(closed), np.bool_)
    keep[[0, far, -1]] = True
    stack = [(0, far), (far, len(points))]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        off = _distances(closed[first + 1 : last], closed[first], closed[last])
        worst = int(np.argmax(off))
        if off[worst] > tolerance:
            keep[first + 1 + worst] = True
            stack += [(first, first + 1 + worst), (first + 1 + worst, last)]
    found = points[keep[:-1]]
    return found if len(found) >= 3 else points


def _distances(points: Points, start: Points, end: Points) -> Points:
    """Return the distances (N,) of points from a line segment."""
    along = end - start
    length = float(along @ along)
    if length == 0:
        return np.asarray(np.hypot(*(points - start).T))
    share = np.clip((points - start) @ along / length, 0, 1)
    return np.asarray(np.hypot(*(points - start - share[:, None] * along).T))


def _joined(polygon: Points, hole: Points) -> Points:
    """Go from the corner nearest to the hole into it, round it, and back."""
    distances, nearest = cKDTree(polygon).query(hole)
    at = int(np.argmin(distances))
    here = int(nearest[at])
    return np.concatenate([polygon[: here + 1], hole[at:], hole[: at + 1], polygon[here:]])


def _without_holes(pixels: NDArray[np.bool_], smaller: int) -> NDArray[np.bool_]:
    if smaller <= 1:
        return pixels
    outside, _ = ndimage.label(np.pad(~pixels, 1, constant_values=True))
    small = np.bincount(outside.ravel()) < smaller
    small[[0, outside[0, 0]]] = False
    return np.asarray(pixels | small[outside][1:-1, 1:-1])
