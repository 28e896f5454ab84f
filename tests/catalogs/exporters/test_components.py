from __future__ import annotations

import numpy as np
import pytest
from exporting import disc

from maskmill.catalogs.exporters.components import components
from maskmill.catalogs.exporters.records import ExportMask, ExportRecord
from maskmill.catalogs.rle import encode_mask
from maskmill.schemas.errors import CatalogError


def _mask(rle: bytes) -> tuple[ExportRecord, ExportMask]:
    mask = ExportMask("a", 1, 0.5, rle, (0, 0, 1, 1), 1)
    return ExportRecord("k", "id", "0", 128, 96, "train", None, (), (mask,)), mask


def test_parts_together_are_the_mask() -> None:
    whole = disc(30, 30, 12) | disc(90, 60, 20) | disc(120, 8, 2)
    parts = list(components(*_mask(encode_mask(whole)), 1))
    assert len(parts) == 3
    assert (np.logical_or.reduce([part.in_image(96, 128) for part in parts]) == whole).all()
    assert sum(part.area for part in parts) == whole.sum()
    assert [(part.x, part.y) for part in parts] == [(118, 6), (18, 18), (70, 40)]


def test_small_parts_are_left_out() -> None:
    whole = disc(30, 30, 12) | disc(120, 8, 2)
    assert [(part.x, part.y) for part in components(*_mask(encode_mask(whole)), 20)] == [(18, 18)]


def test_pixels_that_touch_by_a_corner_are_one_part() -> None:
    whole = np.zeros((96, 128), bool)
    whole[3, 4] = whole[4, 5] = True
    (part,) = components(*_mask(encode_mask(whole)), 1)
    assert part.pixels.tolist() == [[True, False], [False, True]]


def test_a_damaged_mask_is_refused() -> None:
    with pytest.raises(CatalogError, match="damaged mask"):
        list(components(*_mask(b"05"), 1))
