from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from maskmill.catalogs.datasets.bands import bands_of
from maskmill.catalogs.datasets.painting import PaintedMask, paint_labels, paint_weights
from maskmill.catalogs.rle import decode_mask, encode_mask
from maskmill.schemas.errors import CatalogError

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
STACKS = SIZES.flatmap(
    lambda size: arrays.arrays(np.bool_, st.integers(0, 5).map(lambda count: (count, *size)))
)


@given(STACKS)
def test_painting_is_what_painting_mask_by_mask_gives(stack: np.ndarray) -> None:
    height, width = stack.shape[1:]
    masks = [PaintedMask(10 + i, 0.125 * i, encode_mask(mask)) for i, mask in enumerate(stack)]
    labels = np.zeros((height, width), np.uint16)
    weights = np.full((height, width), 0.75, np.float32)
    for mask in masks:
        where = decode_mask(mask.rle, height, width)
        labels[where], weights[where] = mask.class_id, mask.weight
    bands = bands_of([mask.rle for mask in masks], height, width)
    assert bands.lengths.sum() == height * width
    painted = paint_labels(masks, bands, height, width)
    assert np.array_equal(painted, labels)
    assert np.array_equal(paint_weights(masks, 0.75, bands, height, width), weights)
    assert painted.dtype == np.uint16


@given(SIZES)
def test_masks_that_part_an_image_need_no_second_pass(size: tuple[int, int]) -> None:
    number = np.arange(size[0] * size[1]).reshape(size) % 3
    masks = [PaintedMask(i, 1.0, encode_mask(number == i)) for i in range(3)]
    bands = bands_of([mask.rle for mask in masks], *size)
    assert np.array_equal(paint_labels(masks, bands, *size), number)
    assert len(bands.lengths) <= 2 * number.size + 1


@pytest.mark.parametrize("rle", [b"", b"0", b"\xff\xff", encode_mask(np.ones((4, 4), bool))])
def test_damaged_masks_are_refused(rle: bytes) -> None:
    with pytest.raises(CatalogError, match="damaged mask"):
        bands_of([encode_mask(np.eye(3, dtype=bool)), rle], 3, 3)
