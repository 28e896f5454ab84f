from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.corpora.batches import MAX_ROWS, CaptionRow, in_batches, stated_size, storable_text
from maskmill.schemas.errors import ErrorReason
from maskmill.schemas.samples import CAPTION_BATCH, BadSample


def test_rows_keep_their_order_and_faults_are_passed_on() -> None:
    bad = BadSample("x", ErrorReason.BAD_METADATA, "why")
    rows = [CaptionRow("a", ("one", None), "d", 3, 2), bad, CaptionRow("b")]
    first, batch = in_batches(rows)
    assert first is bad
    assert batch.schema == CAPTION_BATCH
    assert batch.to_pylist() == [
        {"key": "a", "captions": ["one", None], "digest": "d", "width": 3, "height": 2},
        {"key": "b", "captions": [], "digest": None, "width": None, "height": None},
    ]


def test_batches_end_with_rows_or_with_text() -> None:
    sizes = [len(batch) for batch in in_batches(CaptionRow(str(i)) for i in range(MAX_ROWS + 1))]
    assert sizes == [MAX_ROWS, 1]
    long = "🐈" * (10 << 20)
    batches = list(in_batches(CaptionRow(str(i), (long,)) for i in range(3)))
    assert [len(batch) for batch in batches] == [2, 1]
    assert batches[1]["captions"][0].as_py() == [long]


def test_no_rows_make_no_batch() -> None:
    assert list(in_batches([])) == []


@given(st.text(st.characters(codec=None, categories=["Cs", "L", "So"]), max_size=8))
def test_lone_surrogates_become_question_marks(text: str) -> None:
    (batch,) = in_batches([CaptionRow("k" + text, (text, None))])
    assert batch["captions"][0].as_py() == [storable_text(text), None]
    assert batch["key"][0].as_py() == "k" + storable_text(text)
    assert storable_text("\ud800 ü 🐈") == "? ü 🐈"


@pytest.mark.parametrize(
    ("value", "size"),
    [(5, 5), (0, None), (-1, None), (1 << 31, None), (True, None), ("5", None), (5.0, None), (None, None)],
)
def test_a_stated_size_is_a_possible_number_of_pixels(value: object, size: int | None) -> None:
    assert stated_size(value) == size
