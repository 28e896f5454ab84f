from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskmill.catalogs.corrections import Fault, Region, ReviewReason
from maskmill.catalogs.rle import decode_mask
from maskmill.schemas.tables import ERRORS, IMAGES, MASKS
from maskmill.tasks.review_match import KnownImage
from maskmill.tasks.review_rows import ReviewRules, fault_row, image_row, review_masks

ROW = {"image_id": "i", "corpus": "c", "key": "k", "shard_id": "0", "shard_uri": "u", "sha256": "ab"}
IMAGE = KnownImage(ROW | {"width": 6, "height": 4})
STRICT = ReviewRules({"cat", "dog"}, "refuse", "refuse")
FREE = ReviewRules(None, "smaller", "background")


def region(label: str | None, *where: tuple[slice, slice]) -> Region:
    mask = np.zeros((4, 6), np.bool_)
    for place in where:
        mask[place] = True
    return Region(label, mask)


LEFT, RIGHT, ALL = np.s_[:, :3], np.s_[:, 3:], np.s_[:, :]


def test_rows_fit_their_tables() -> None:
    rows, faults = review_masks(IMAGE, [region("cat", LEFT), region("dog", RIGHT)], STRICT)
    assert faults == []
    assert all(set(row) == set(MASKS.names) for row in rows)
    assert [(row["label"], row["area"], row["components"]) for row in rows] == [
        ("cat", 12, 1),
        ("dog", 12, 1),
    ]
    assert set(image_row(IMAGE, ["cat"], 2, None)) == set(IMAGES.names)
    fault = Fault(ReviewReason.OVERLAP, "x")
    assert set(fault_row("c", None, IMAGE, fault)) == set(ERRORS.names)


def test_one_fault_takes_the_whole_image_out() -> None:
    fault = Fault(ReviewReason.BAD_REGION, "x")
    rows, faults = review_masks(IMAGE, [region("cat", LEFT), fault, region("bird", RIGHT)], STRICT)
    assert rows == []
    assert [f.reason for f in faults] == [ReviewReason.BAD_REGION, ReviewReason.NEW_LABEL]


def test_undecided_pixels_are_refused_or_background() -> None:
    drawn = [region("cat", LEFT), region(None, RIGHT)]
    assert [f.reason for f in review_masks(IMAGE, drawn, STRICT)[1]] == [ReviewReason.UNDECIDED]
    rows, faults = review_masks(IMAGE, drawn, FREE)
    assert ([row["label"] for row in rows], faults) == (["cat"], [])


def test_overlaps_are_refused_or_the_smaller_lies_on_top() -> None:
    drawn = [region("cat", np.s_[:2, :2]), region("dog", ALL)]
    (fault,) = review_masks(IMAGE, drawn, STRICT)[1]
    assert (fault.reason, "share 4 pixels" in fault.detail) == (ReviewReason.OVERLAP, True)
    for order in (drawn, drawn[::-1]):
        rows, _ = review_masks(IMAGE, order, FREE)
        assert {row["label"]: row["area"] for row in rows} == {"cat": 4, "dog": 20}


def test_regions_of_one_label_may_overlap() -> None:
    rows, faults = review_masks(IMAGE, [region("cat", LEFT), region("cat", ALL)], STRICT)
    assert ([row["area"] for row in rows], faults) == ([24], [])


@given(st.lists(st.tuples(st.sampled_from("abc"), hnp.arrays(np.bool_, (4, 6))), max_size=5))
def test_masks_never_share_a_pixel_and_lose_none(drawn: list[tuple[str, Any]]) -> None:
    regions = [Region(label, mask) for label, mask in drawn if mask.any()]
    rows, faults = review_masks(IMAGE, regions, FREE)
    if faults:
        assert [f.reason for f in faults] == [ReviewReason.OVERLAP]
        return
    painted = sum(decode_mask(row["rle"], 4, 6).astype(int) for row in rows)
    union = np.logical_or.reduce([r.mask for r in regions] or [np.zeros((4, 6), np.bool_)])
    assert np.array_equal(painted + np.zeros((4, 6), int), union)


def test_an_image_without_regions_has_no_masks() -> None:
    assert review_masks(IMAGE, [], STRICT) == ([], [])
    row = image_row(IMAGE, ["cat"], 0, "Ada")
    assert (row["status"], row["masks"], row["annotator"]) == ("reviewed", 0, "Ada")


@pytest.mark.parametrize("name", [None, "a\ud800.jpg"])
def test_texts_of_errors_can_be_stored(name: str | None) -> None:
    row = fault_row("c", name, None, Fault(ReviewReason.UNKNOWN_IMAGE, "\ud800" + "x" * 999))
    assert row["key"] == (name and "a?.jpg")
    assert (row["image_id"], row["shard_id"], len(row["detail"])) == (None, "review", 500)
    row["detail"].encode()
