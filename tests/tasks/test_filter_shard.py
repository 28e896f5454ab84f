from __future__ import annotations

import pytest

from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.entities import EntitySet
from maskmill.tasks.filter_shard import caption_rows, is_blank
from maskmill.tasks.matching import Matcher


@pytest.fixture(scope="module")
def find() -> Matcher:
    return Matcher(EntitySet.of_vocabulary(Vocabulary.of(["cat", "dog"])))


def test_every_caption_is_a_row_with_its_reason(find: Matcher) -> None:
    rows = caption_rows(["A cat", "a view", None, "  "], find)
    assert [(r["caption_index"], r["caption"], r["keep"], r["reason"]) for r in rows] == [
        (0, "A cat", True, "kept"),
        (1, "a view", False, "no_entity"),
        (2, None, False, "no_caption"),
        (3, "  ", False, "no_caption"),
    ]
    assert rows[0]["entities"] == ["cat"]
    assert rows[0]["spans"] == [{"start": 2, "end": 5, "entity": "cat"}]
    assert rows[1]["entities"] == [] and rows[1]["spans"] == []


def test_a_sample_without_captions_has_one_row_that_says_so(find: Matcher) -> None:
    (row,) = caption_rows((), find)
    assert (row["caption_index"], row["caption"], row["reason"]) == (0, None, "no_caption")


def test_lone_surrogates_become_question_marks_and_spans_still_fit(find: Matcher) -> None:
    (row,) = caption_rows(["\ud83d a cat \ude00"], find)
    assert row["caption"] == "? a cat ?"
    (span,) = row["spans"]
    assert row["caption"][span["start"] : span["end"]] == "cat"


@pytest.mark.parametrize(("caption", "blank"), [(None, True), ("", True), (" \n\t", True), ("a", False)])
def test_a_caption_of_blanks_is_none(caption: str | None, blank: bool) -> None:
    assert is_blank(caption) is blank
