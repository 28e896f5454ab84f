"""The outline of a connected part of a mask and of its holes, as polygons with right angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def trace(pixels: NDArray[np.bool_], inset: float = 0.0) -> list[Points]:
    """Trace an 8-connected part along the edges of its pixels.

    Args:
        pixels: (h, w) bool, one part.
        inset: how far the polygons are moved into the part, in pixels. At 0 they run along its edge; at 0.5
            through the centres of its outermost pixels, which a rasteriser that fills the boundary gives back
            exactly.

    Returns:
        Polygons (N, 2) of x and y, from the upper left corner of the box; the outline first, then the holes.
        Where pixels touch by a corner, a polygon touches itself.
    """
    corners = _Corners.of(np.pad(pixels, 1))
    points, differ = corners.points(inset)
    polygons, seen = [], np.zeros(len(points), np.bool_)
    ahead = corners.below.tolist()
    for start in range(len(points)):
        if not seen[start]:
            cycle = _cycle(start, ahead)
            seen[cycle] = True
            met = points[cycle]
            # The walk comes to every other corner along its row, to the rest along their column.
            met[1::2] = met[1::2, ::-1]
            polygons.append(met[np.stack([np.ones(len(cycle), np.bool_), differ[cycle]], axis=1)])
    return polygons


def _cycle(start: int, ahead: list[int]) -> list[int]:
    """Walk along a row, then a column, and so on, until the walk is where it began."""
    cycle, here = [], start
    while True:
        cycle += [here, here ^ 1]
        here = ahead[here ^ 1]
        if here == start:
            return cycle


@dataclass(frozen=True)
class _Corners:
    """The corners of a part in rows; those where two of its pixels touch stand twice.

    On every row, and in every column, edges join the first corner and the second, the third and the fourth
    and so on: the row's are 0-1, 2-3 ...; ``order`` has the columns' pairs, ``below`` the partner of each.
    """

    padded: NDArray[np.bool_]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    order: NDArray[np.intp]
    below: NDArray[np.intp]
    touching: NDArray[np.bool_]

    @classmethod
    def of(cls, padded: NDArray[np.bool_]) -> _Corners:
        """Find the corners in a mask with an empty frame of one pixel."""
        up_left, up_right = padded[:-1, :-1], padded[:-1, 1:]
        low_left, low_right = padded[1:, :-1], padded[1:, 1:]
        touching = (up_left == low_right) & (up_right == low_left) & (up_left != up_right)
        times = (up_left ^ up_right ^ low_left ^ low_right) + 2 * touching
        rows, columns = (np.repeat(where, times[np.nonzero(times)]) for where in np.nonzero(times))
        # At a touching corner the left edge must go on to the one that keeps both pixels in one outline: up
        # where the upper right pixel is set, and down where the upper left is.
        second = np.zeros(len(rows), np.intp)
        second[1:] = (rows[1:] == rows[:-1]) & (columns[1:] == columns[:-1])
        touching = touching[rows, columns]
        swapped = touching & up_left[rows, columns]
        order = np.lexsort((second ^ swapped, rows, columns))
        below = np.empty_like(order)
        below[order[::2]], below[order[1::2]] = order[1::2], order[::2]
        return cls(padded, rows, columns, order, below, touching)

    def points(self, inset: float) -> tuple[Points, NDArray[np.bool_]]:
        """Return each corner, moved into the part, as it is met from its column and from its row.

        Where two pixels touch, these are the centres of the two, and elsewhere one point.

        Returns:
            (N, 2, 2) of x and y, the column's first; (N,) whether the two differ.
        """
        first, upper = np.arange(len(self.rows)) & ~1, np.empty_like(self.order)
        upper[self.order] = np.repeat(self.order[::2], 2)
        right = np.where(self.padded[self.rows[upper] + 1, self.columns[upper] + 1], inset, -inset)
        down = np.where(self.padded[self.rows[first] + 1, self.columns[first] + 1], inset, -inset)
        # At a touching corner the pixel beside an edge lies towards the edge's other end.
        onward = np.where(first == np.arange(len(first)), inset, -inset)
        upward = np.where(upper == np.arange(len(upper)), inset, -inset)
        from_column = np.stack([right, np.where(self.touching, upward, down)], axis=1)
        from_row = np.stack([np.where(self.touching, onward, right), down], axis=1)
        corners = np.stack([self.columns, self.rows], axis=1)
        both = corners[:, None] + np.stack([from_column, from_row], axis=1)
        return both, self.touching & (inset > 0)
