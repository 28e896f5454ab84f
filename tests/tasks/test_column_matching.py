from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_captions import cc3m_captions, coco_captions, data_folder

from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks import column_matching
from maskmill.tasks.caption_words import SLICE_BYTES, row_slices
from maskmill.tasks.column_matching import ColumnMatcher, Matches
from maskmill.tasks.entities import Entity, EntitySet
from maskmill.tasks.matching import Matcher

KEPT = (
    "cat", "t-shirt", "alarm clock", "clock", "radio", "alarm clock radio", "bus", "café", "motorcycle",
    "stop sign", "in front of", "front", "ß", "лес", "surfboarder", "4 2",
)  # fmt: skip
BLOCKING = ("hot dog", "cat clock", "bus stop", "clock in", "motorcycle bus", "in", "ёлка лес")


def entity_set(kept: tuple[str, ...] = KEPT, others: tuple[str, ...] = BLOCKING) -> EntitySet:
    named = [(name, True) for name in kept] + [(name, False) for name in others]
    return EntitySet(
        "test", tuple(Entity(name, (), 1, rank, keep, "test") for rank, (name, keep) in enumerate(named, 1))
    )


ENTITIES = entity_set()
REFERENCE, FIND = Matcher(ENTITIES), ColumnMatcher(ENTITIES)
PIECES = st.one_of(
    st.text(max_size=3),
    st.text(st.characters(max_codepoint=127), max_size=3),
    st.sampled_from([w for name in (*KEPT, *BLOCKING) for w in (name, *name.replace("-", " ").split())]),
    st.sampled_from(["CATS", "T-Shirts", "cafe\u0301", "Cafe", "motorcycles", "motorcycled", "surfboarded"]),
    st.sampled_from(
        [" ", " ", " ", "  ", "\n", "\x1c", "\t ", "-", "- ", "\u2010", "'s", "_", "\x00", "\u00ad"]
    ),
)
CAPTION = st.lists(PIECES, max_size=10).map("".join)


def assert_equal(found: Matches, captions: list[str | None], reference: Matcher = REFERENCE) -> None:
    expected = [reference("" if caption is None else caption) for caption in captions]
    assert found.entities.to_pylist() == [list(match.entities) for match in expected]
    assert found.spans.to_pylist() == [[span._asdict() for span in match.spans] for match in expected]


@given(st.lists(st.one_of(st.none(), CAPTION), max_size=6), st.integers(0, 2))
def test_it_finds_what_matcher_finds(captions: list[str | None], skipped: int) -> None:
    column = pa.array(captions, pa.string())
    assert_equal(FIND(column.slice(skipped)), captions[skipped:])


def test_a_caption_ends_where_the_next_begins() -> None:
    captions = ["a hot", "dog alarm", " clock", "c", "at", "", "cat-", "free bus ", "stop", "a cat"]
    found = FIND(pa.array(captions))
    assert found.entities.to_pylist() == [[], [], ["clock"], [], [], [], ["cat"], ["bus"], [], ["cat"]]
    assert_equal(found, list(captions))


def test_names_that_overlap_go_to_the_leftmost_and_longest() -> None:
    captions = ["alarm clock radio", "bus stop sign", "cat clock in front of clock in front"]
    captions.append("alarm clock in")
    found = FIND(pa.array(captions))
    assert found.entities.to_pylist() == [
        ["alarm clock radio"],
        [],
        ["in front of", "front"],
        ["alarm clock"],
    ]
    assert_equal(found, list(captions))


def test_text_under_a_null_is_not_read() -> None:
    offsets, data = np.array([0, 3, 8, 11], np.int32), "catécatbus".encode()
    valid = pa.array([True, False, True]).buffers()[1]
    column = pa.StringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(data), valid, 1)
    assert FIND(column).entities.to_pylist() == [["cat"], [], ["bus"]]


@pytest.mark.parametrize("column", [[], [None], [""], [None, "a cat"]])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_any_string_column_is_taken(column: list[str | None], kind: pa.DataType) -> None:
    assert_equal(FIND(pa.array(column, kind)), column)


def test_a_column_of_nulls_and_an_empty_set_name_nothing() -> None:
    assert FIND(pa.nulls(2)).entities.to_pylist() == [[], []]
    empty = ColumnMatcher(EntitySet("none", ()))
    assert empty(pa.array(["a cat", "é"])).spans.to_pylist() == [[], []]


def test_what_a_column_without_names_needs_does_not_grow_with_it() -> None:
    captions = pa.array(["an alarming view of nothing at all, or so it seems"] * 100_000)
    tracemalloc.start()
    found = FIND(captions)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.spans.flatten()) == 0
    assert peak < 30 * SLICE_BYTES


def test_slices_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    captions: list[str | None] = [
        "a cat",
        "",
        "ein cafe\u0301",
        None,
        "motorcycles " * 9,
        "an alarm",
        "clock",
    ] * 5
    monkeypatch.setattr(column_matching, "row_slices", lambda column: row_slices(column, 16))
    assert_equal(FIND(pa.array(captions)), captions)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "entities", [EntitySet.of_vocabulary(load_vocabulary("cc4m")), ENTITIES], ids=["cc4m", "test"]
)
def test_it_finds_what_matcher_finds_in_real_captions(entities: EntitySet) -> None:
    if not data_folder().is_dir():
        pytest.skip(f"no real data at {data_folder()}; set MASKMILL_REALDATA")
    captions: list[str | None] = [*coco_captions(), *cc3m_captions()]
    assert len(captions) == 40_847
    assert_equal(ColumnMatcher(entities)(pa.array(captions)), captions, Matcher(entities))
