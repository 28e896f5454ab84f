"""Decisions on captions, column by column, against one decision at a time."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.schemas.samples import CAPTION_BATCH, image_id
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.caption_rows import CaptionRules, caption_columns, identity_columns
from maskmill.tasks.column_matching import ColumnMatcher
from maskmill.tasks.entities import EntitySet
from maskmill.tasks.matching import Matcher

ENTITIES = EntitySet.of_vocabulary(Vocabulary.of(["cat", "dog"]))
FIND, FIND_ALL = Matcher(ENTITIES), ColumnMatcher(ENTITIES)

Sample = tuple[list[str | None], int | None, int | None]


def batch(*samples: Sample) -> pa.RecordBatch:
    rows = [
        {"key": str(i), "captions": captions, "digest": None, "width": width, "height": height}
        for i, (captions, width, height) in enumerate(samples)
    ]
    return pa.RecordBatch.from_pylist(rows, CAPTION_BATCH)


def decide(*samples: Sample, repeated: tuple[int, ...] = (), rules: CaptionRules | None = None) -> Any:
    mask = np.isin(np.arange(len(samples)), repeated)
    columns = caption_columns(batch(*samples), mask, FIND_ALL, rules or CaptionRules())
    return pa.table(columns).to_pylist()


def test_every_caption_is_a_row_with_its_reason() -> None:
    rows = decide((["A cat", "a view", None, "  "], None, None))
    assert [(r["caption_index"], r["caption"], r["keep"], r["reason"]) for r in rows] == [
        (0, "A cat", True, "kept"),
        (1, "a view", False, "no_entity"),
        (2, None, False, "no_caption"),
        (3, "  ", False, "no_caption"),
    ]
    assert rows[0]["entities"] == ["cat"]
    assert rows[0]["spans"] == [{"start": 2, "end": 5, "entity": "cat"}]
    assert rows[1]["entities"] == [] and rows[1]["spans"] == []


def test_a_sample_without_captions_has_one_row_wherever_it_stands() -> None:
    rows = decide(([], None, None), (["a dog", "a cat"], None, None), ([], None, None))
    assert [(r["key"], r["caption_index"], r["caption"], r["reason"]) for r in rows] == [
        ("0", 0, None, "no_caption"),
        ("1", 0, "a dog", "kept"),
        ("1", 1, "a cat", "kept"),
        ("2", 0, None, "no_caption"),
    ]


def test_no_samples_have_no_rows() -> None:
    assert decide() == []


def test_a_repeated_image_keeps_none_of_its_captions_and_says_what_they_name() -> None:
    rows = decide((["a cat"], None, None), (["a dog", ""], None, None), repeated=(1,))
    assert [(r["reason"], r["entities"]) for r in rows] == [
        ("kept", ["cat"]),
        ("duplicate_image", ["dog"]),
        ("duplicate_image", []),
    ]


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(224, 500, "kept"), (500, 223, "too_small"), (10, 10, "too_small"), (None, None, "kept")],
)
def test_a_small_image_is_dropped_and_an_unknown_size_is_not(
    width: int | None, height: int | None, reason: str
) -> None:
    (row,) = decide((["a cat"], width, height), rules=CaptionRules(min_short_side=224))
    assert row["reason"] == reason


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("кошка на столе", "language"),
        ("一只猫 cat", "kept"),
        ("猫猫猫猫 cat", "language"),
        ("قطة", "language"),
        ("😀🐈", "no_entity"),
        ("ein Café, ça va", "no_entity"),
        ("a cat\u0000 with NUL", "kept"),
    ],
)
def test_captions_in_other_scripts_are_dropped_for_that(caption: str, reason: str) -> None:
    (row,) = decide(([caption], None, None))
    assert row["reason"] == reason
    assert row["caption"] == caption


def test_other_scripts_can_be_allowed() -> None:
    (row,) = decide((["кошка cat"], None, None), rules=CaptionRules(latin_only=False))
    assert row["reason"] == "kept"


def expected_reason(caption: str | None, entities: tuple[str, ...]) -> str:
    if caption is None or not caption.strip():
        return "no_caption"
    letters = [c for c in caption if unicodedata.category(c).startswith("L")]
    latin = [c for c in letters if "LATIN" in unicodedata.name(c, "")]
    if 2 * len(latin) < len(letters):
        return "language"
    return "kept" if entities else "no_entity"


# Letters whose script name and Unicode name agree; the blanks that both Python and Arrow strip.
_TEXT = st.text(st.sampled_from("catdogCATDOGsé ,.-'\n\tßжщ猫あ😀"), max_size=20)


@given(st.lists(st.lists(st.one_of(st.none(), _TEXT, st.just("a cat")), max_size=4), max_size=5))
def test_columns_say_what_one_decision_at_a_time_says(samples: list[list[str | None]]) -> None:
    rows = decide(*((captions, None, None) for captions in samples))
    wanted = []
    for key, captions in enumerate(samples):
        for index, caption in enumerate(captions or [None]):
            found = FIND(caption or "")
            wanted.append(
                (str(key), index, caption, expected_reason(caption, found.entities), list(found.entities))
            )
    assert [(r["key"], r["caption_index"], r["caption"], r["reason"], r["entities"]) for r in rows] == wanted


def test_identity_does_not_depend_on_how_often_a_key_stands() -> None:
    columns = identity_columns("c", pa.array(["a", "a", "b", "a"]), "s")
    assert columns["image_id"].to_pylist() == [image_id("c", key) for key in "aaba"]
    assert columns["corpus"].to_pylist() == ["c"] * 4
    assert columns["shard_id"].to_pylist() == ["s"] * 4
    assert len(identity_columns("c", pa.array([], pa.string()), "s")["image_id"]) == 0
