from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from maskmill.catalogs.corrections.shapes import polygons_mask, rle_mask, rotated_rectangle
from maskmill.catalogs.rle import encode_mask
from maskmill.schemas.errors import CatalogError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 4.0, 2.0, 4.0]


def test_a_rectangle_of_whole_pixels_covers_them() -> None:
    mask = polygons_mask([SQUARE], 8, 9)
    assert mask.shape == (8, 9)
    assert mask[1:4, 2:6].all()
    assert mask.sum() <= 4 * 5


def test_polygons_are_united() -> None:
    other = [0.0, 5.0, 3.0, 5.0, 3.0, 8.0, 0.0, 8.0]
    both = polygons_mask([SQUARE, other], 8, 9)
    assert np.array_equal(both, polygons_mask([SQUARE], 8, 9) | polygons_mask([other], 8, 9))


@given(st.lists(st.tuples(st.floats(-9, 18), st.floats(-7, 14)), min_size=3, max_size=6))
def test_any_outline_near_the_image_is_drawn_as_pycocotools_does(points: list[tuple[float, float]]) -> None:
    flat = [place for point in points for place in point]
    expected = coco_mask.decode(coco_mask.frPyObjects([flat], 7, 9))[..., 0].astype(bool)
    assert np.array_equal(polygons_mask([flat], 7, 9), expected)


@pytest.mark.parametrize(
    ("polygons", "complaint"),
    [
        ([], "there is no polygon"),
        ({}, "there is no polygon"),
        ([[1, 1, 3, 3]], "three points or more"),  # pycocotools would draw a box
        ([[1, 1, 3, 3, 5]], "three points or more"),
        ([[1, 1, 3, 3, 5, 5, 6]], "three points or more"),
        ([SQUARE, 7], "three points or more"),
        ([[1, 1, 3, 3, 5, "5"]], "expected finite numbers"),
        ([[1, 1, 3, 3, 5, True]], "expected finite numbers"),
        ([[1, 1, 3, 3, 5, math.nan]], "expected finite numbers"),
        ([[1, 1, 3, 3, 5, math.inf]], "expected finite numbers"),
        ([[1, 1, 3, 3, 1e12, 5]], "far outside the image of 9 x 8"),
        ([[1, 1, 3, 3, 5, -9]], "far outside"),
    ],
)
def test_polygons_that_cannot_be_drawn_are_refused(polygons: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        polygons_mask(polygons, 8, 9)


def test_both_forms_of_rle_are_read() -> None:
    mask = np.zeros((3, 4), np.bool_)
    mask[1:, 2] = True
    compressed = {"size": [3, 4], "counts": encode_mask(mask).decode()}
    assert np.array_equal(rle_mask(compressed, 3, 4), mask)
    assert np.array_equal(rle_mask({"size": [3, 4], "counts": [7, 2, 3]}, 3, 4), mask)


@pytest.mark.parametrize(
    ("rle", "complaint"),
    [
        (None, "neither polygons nor an RLE"),
        ("11", "neither polygons nor an RLE"),
        ({"counts": [12]}, "has size None"),
        ({"size": [4, 3], "counts": [12]}, r"has size \[4, 3\] \(height, width\), the image 3, 4"),
        ({"size": [3, 4]}, "no counts"),
        ({"size": [3, 4], "counts": []}, "no counts"),
        ({"size": [3, 4], "counts": [6, 5]}, "do not fill 3 x 4"),
        ({"size": [3, 4], "counts": [6, -6, 12]}, "whole numbers within"),
        ({"size": [3, 4], "counts": [1 << 80]}, "whole numbers within"),
        ({"size": [3, 4], "counts": [6.0, 6]}, "whole numbers within"),
        ({"size": [3, 4], "counts": "é"}, "ascii"),
        ({"size": [3, 4], "counts": "7"}, "do not fill 3 x 4"),
        ({"size": [3, 4], "counts": ""}, "no COCO compressed counts"),
    ],
)
def test_rles_that_are_damaged_are_refused(rle: Any, complaint: str) -> None:
    with pytest.raises((ValueError, CatalogError), match=complaint):
        rle_mask(rle, 3, 4)


def test_rectangles_turn_clockwise_about_their_upper_left_corner() -> None:
    assert rotated_rectangle((1, 2), (3, 4), 0) == [1, 2, 4, 2, 4, 6, 1, 6]
    # In an image y points down: the upper side, turned by 90 degrees clockwise, points down.
    assert rotated_rectangle((10, 2), (3, 4), 90) == pytest.approx([10, 2, 10, 5, 6, 5, 6, 2])
