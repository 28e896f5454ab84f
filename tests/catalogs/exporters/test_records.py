from __future__ import annotations

import numpy as np
import pytest
from exporting import disc
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.exporters.records import ExportMask, ExportRecord
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.splits import split_of
from maskmill.schemas.labelmap import IGNORE


def _record(key: str = "k", *masks: ExportMask) -> ExportRecord:
    return ExportRecord(key, "id", "00000", 20, 10, "train", None, (), masks)


def _mask(class_id: int, score: float, x: float) -> ExportMask:
    return ExportMask("a", class_id, score, encode_mask(disc(x, 5, 4, (10, 20))), (0, 0, 1, 1), 1)


def test_later_masks_lie_on_top_and_only_classes_are_things() -> None:
    record = _record("k", _mask(IGNORE, 0.1, 5), _mask(2, 0.5, 8), _mask(0, 0.6, 12), _mask(1, 0.9, 14))
    labels = record.labels()
    assert labels[5].tolist() == [0, IGNORE, IGNORE, IGNORE, 2, 2, 2, 2, 0, 0, *[1] * 8, 0, 0]
    assert [m.class_id for m in record.things] == [2, 1]


@given(st.text(min_size=1, max_size=40))
def test_any_key_has_a_file_name_without_dots_and_separators(key: str) -> None:
    stem = _record(key.encode("utf-8", "ignore").decode() or "k").stem
    assert 0 < len(stem.encode()) <= 100
    assert not set(stem) & set('./\\ :*?"<>|\0')


def test_keys_that_look_alike_have_different_file_names() -> None:
    keys = [
        "a/b",
        "a b",
        "a.b",
        "a_b",
        "a\\b",
        "..",
        "/",
        "-",
        "x" * 101,
        "x" * 102,
        "\u00e9",
        "e\u0301",
        "\U0001f408",
    ]
    # A key may look like the name that was made for another.
    keys += [_record(key).stem for key in keys if _record(key).stem != key]
    assert len({_record(key).stem for key in keys}) == len(keys)


@pytest.mark.parametrize("key", ["-rf", "--help", "/-x", "~", "-"])
def test_no_file_name_looks_like_a_flag(key: str) -> None:
    assert _record(key).stem[0] not in "-."


def test_a_share_of_the_images_is_held_out_whatever_their_order() -> None:
    chosen = [split_of(str(n), 0.2, 0) for n in range(4000)]
    assert chosen.count("val") == pytest.approx(800, abs=100)
    assert [split_of(str(n), 0.2, 0) for n in reversed(range(4000))] == chosen[::-1]
    assert [split_of(str(n), 0.2, 1) for n in range(4000)] != chosen
    assert {split_of(str(n), 0.0, 0) for n in range(100)} == {"train"}
    # A larger share only adds to the smaller one.
    larger = [split_of(str(n), 0.3, 0) for n in range(4000)]
    assert all(b == "val" for a, b in zip(chosen, larger, strict=True) if a == "val")
    assert np.unique(larger).tolist() == ["train", "val"]
