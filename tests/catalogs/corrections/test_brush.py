from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from labelstudio_rle import brush_rle
from numpy.typing import NDArray

from maskmill.catalogs.corrections.brush import brush_mask

SIDES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)


@given(hnp.arrays(np.bool_, SIDES))
def test_any_stroke_is_read(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(brush_mask(brush_rle(mask.astype(np.uint8) * 255), *mask.shape), mask)


def test_values_one_by_one_are_read() -> None:
    """One pixel, its four values in one piece: 32 bits of number, value and length widths, the piece."""
    bits = (
        f"{4:032b}{7:05b}{1:04b}{1:04b}{1:04b}{1:04b}"
        + "000"
        + f"{3:02b}"
        + "".join(f"{value:08b}" for value in (1, 2, 3, 255))
    )
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert brush_mask(rle, 1, 1).tolist() == [[True]]


def test_a_large_stroke_is_read() -> None:
    mask = np.zeros((120, 160), np.bool_)
    mask[10:100, 20:140] = True
    assert np.array_equal(brush_mask(brush_rle(mask.astype(np.uint8) * 255), 120, 160), mask)


def test_alpha_counts_above_half_of_its_maximum() -> None:
    alpha = np.array([[0, 40, 60, 100]], np.uint8)
    assert brush_mask(brush_rle(alpha), 1, 4).tolist() == [[False, False, True, True]]


GOOD = brush_rle(np.full((3, 4), 255, np.uint8))


@pytest.mark.parametrize(
    "rle",
    [None, "abc", {}, [], [1, 2, 3], [256] * 20, [-1] * 20, [1.0] * 20, GOOD[:-3], GOOD[:8], [*GOOD[:4], 0]],
)
def test_a_damaged_stroke_is_refused(rle: Any) -> None:
    with pytest.raises(ValueError, match="brush stroke"):
        brush_mask(rle, 3, 4)


def test_a_stroke_on_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="no stroke on 5 x 4 pixels"):
        brush_mask(GOOD, 4, 5)


@given(st.lists(st.integers(0, 255), max_size=30))
def test_any_bytes_are_a_stroke_or_refused(tail: list[int]) -> None:
    try:
        mask = brush_mask([*GOOD[:7], *tail], 3, 4)
    except ValueError as err:
        assert "brush stroke" in str(err)
        return
    assert mask.shape == (3, 4)
