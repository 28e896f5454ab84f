from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.query import connect
from maskmill.catalogs.report.class_gallery import (
    KINDS,
    class_masks,
    mask_at,
    neighbourhood,
    pick_masks,
)
from maskmill.catalogs.report.sample import sample_shards
from maskmill.catalogs.store import Catalog


def picked(catalog: Catalog, labels: int = 9, each: int = 1) -> list[tuple[str, str, str]]:
    with connect(catalog.uri) as db:
        picks = pick_masks(db, ["label-new"], sample_shards(db, ["label-new"]), labels, each)
    return [(p.row["label"], p.row["key"], p.kind) for p in picks]


def test_kinds_choose_in_turn_and_no_mask_twice(catalog: Catalog) -> None:
    assert picked(catalog) == [
        ("cat", "b", "most certain"),
        ("cat", "a", "least certain"),
        ("dog", "a", "most certain"),
    ]


def test_the_most_frequent_labels_come_first(catalog: Catalog) -> None:
    assert {label for label, _, _ in picked(catalog, labels=1)} == {"cat"}


def test_a_mask_is_cut_out_with_its_photograph(catalog: Catalog) -> None:
    photo = np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 10, 3)
    with connect(catalog.uri) as db:
        picks = pick_masks(db, ["label-new"], sample_shards(db, ["label-new"]), 9)
    masks = {(m.label, m.key): m for m in class_masks(picks, {("00000", "a"): photo})}
    cat = masks["cat", "a"]
    assert int(cat.mask.sum()) == cat.area == 10
    assert cat.photo is not None
    assert cat.photo.shape[:2] == cat.mask.shape
    assert (cat.score, cat.area_fraction) == (pytest.approx(0.9), pytest.approx(0.1))
    assert masks["cat", "b"].photo is None


@given(
    st.integers(1, 200),
    st.integers(1, 200),
    st.data(),
)
def test_the_neighbourhood_holds_the_box_and_lies_in_the_picture(height: int, width: int, data: Any) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    box = {"height": height, "width": width, "bbox_x": x, "bbox_y": y, "bbox_w": w, "bbox_h": h}
    top, bottom, left, right = neighbourhood(box)
    assert 0 <= top <= y < y + h <= bottom <= height
    assert 0 <= left <= x < x + w <= right <= width


def test_a_small_mask_is_not_shown_too_close() -> None:
    box = {"height": 300, "width": 400, "bbox_x": 200, "bbox_y": 150, "bbox_w": 2, "bbox_h": 2}
    top, bottom, left, right = neighbourhood(box)
    assert bottom - top == pytest.approx(150, abs=1)
    assert (right - left) / (bottom - top) == pytest.approx(4 / 3, abs=0.02)


def test_a_mask_is_resized_without_new_values() -> None:
    small = mask_at(np.eye(4, dtype=np.bool_), 2, 2)
    assert small.dtype == np.bool_
    assert small.shape == (2, 2)


def test_every_kind_has_a_name() -> None:
    assert list(KINDS.values()) == ["most certain", "least certain", "largest", "smallest"]
