from __future__ import annotations

import numpy as np
import pytest

from maskmill.catalogs.corrections.base import Fault, Region, ReviewReason, drawn, is_name, parsed, wrong_size
from maskmill.schemas.errors import CatalogError, CorpusError


def test_a_shape_becomes_a_region_or_says_why_not() -> None:
    mask = np.eye(3, dtype=bool)
    region = drawn("cat", "region 1", lambda: mask)
    assert isinstance(region, Region)
    assert (region.label, region.mask is mask) == ("cat", True)
    assert drawn("cat", "region 1", lambda: ~mask & mask) == Fault(
        ReviewReason.BAD_REGION, "region 1 covers no pixel"
    )
    for error in (ValueError("odd"), CatalogError("odd")):

        def fail(error: Exception = error) -> None:
            raise error

        assert drawn("cat", "region 1", fail) == Fault(ReviewReason.BAD_REGION, "region 1: odd")  # type: ignore[arg-type]


def test_a_fault_of_the_program_is_not_taken_for_one_of_the_file() -> None:
    with pytest.raises(ZeroDivisionError):
        drawn("cat", "region 1", lambda: 1 // 0)  # type: ignore[arg-type, return-value]


def test_sizes_are_compared_as_width_and_height() -> None:
    assert wrong_size((4, 3), width=4, height=3) is None
    fault = wrong_size((3, 4), width=4, height=3)
    assert fault == Fault(ReviewReason.WRONG_SIZE, "drawn on 3 x 4, the image is 4 x 3 pixels")
    assert wrong_size((None, None), width=4, height=3) is not None


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(CorpusError, match=r"'x\.json' is not JSON"):
        parsed("x.json", data)


def test_names_are_texts_that_can_be_stored() -> None:
    assert is_name("Käfer 🐞")
    assert not any(is_name(value) for value in ("", "  ", None, 3, ["a"], "\ud800"))
