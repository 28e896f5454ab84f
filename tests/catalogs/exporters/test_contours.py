from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from maskmill.catalogs.exporters.contours import Points, trace

EIGHT = np.ones((3, 3), bool)
masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def filled(polygons: list[Points], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill polygons with right angles by the even-odd rule: each edge down a column flips what is right."""
    pixels = np.zeros(shape, bool)
    for polygon in polygons:
        for (x, y), (to_x, to_y) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if x == to_x:
                pixels[int(min(y, to_y)) : int(max(y, to_y)), int(x) :] ^= True
    return pixels


@settings(max_examples=300, deadline=None)
@given(masks)
def test_the_polygons_of_a_part_enclose_exactly_its_pixels(mask: NDArray[np.bool_]) -> None:
    parts, count = ndimage.label(mask, EIGHT)
    for number in range(1, count + 1):
        part = parts == number
        polygons = trace(part)
        assert (filled(polygons, part.shape) == part).all()
        # One outline holds a part together even where its pixels touch by a corner; the rest are holes.
        _, outside = ndimage.label(np.pad(~part, 1, constant_values=True))
        assert len(polygons) == outside


@settings(max_examples=300, deadline=None)
@given(masks)
def test_the_first_polygon_is_the_outline(mask: NDArray[np.bool_]) -> None:
    parts, count = ndimage.label(mask, EIGHT)
    for number in range(1, count + 1):
        part = parts == number
        outline, *holes = trace(part)
        assert (filled([outline], part.shape) == ndimage.binary_fill_holes(part)).all()
        for hole in holes:
            assert not (filled([hole], part.shape) & ~ndimage.binary_fill_holes(part)).any()


@settings(max_examples=200, deadline=None)
@given(masks)
def test_an_inset_of_half_a_pixel_lies_on_the_centres_of_outermost_pixels(mask: NDArray[np.bool_]) -> None:
    parts, count = ndimage.label(mask, EIGHT)
    for number in range(1, count + 1):
        part = parts == number
        for polygon in trace(part, 0.5):
            assert (polygon % 1 == 0.5).all()
            columns, rows = np.floor(polygon).astype(int).T
            assert part[rows, columns].all()


def test_two_pixels_that_touch_by_a_corner_have_one_outline() -> None:
    for part in (np.eye(2, dtype=bool), np.eye(2, dtype=bool)[::-1]):
        assert [len(polygon) for polygon in trace(part)] == [8]
