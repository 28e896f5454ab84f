from __future__ import annotations

import re
import string

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.tasks.caption_words import Rows, Words, WordTable, row_slices

WORD_BYTES = (string.ascii_letters + string.digits).encode()
TABLE = bytes(byte if byte in WORD_BYTES else 0 for byte in range(256))
CAPTIONS = st.lists(st.text(alphabet="abz09 -.é", max_size=24), max_size=8)


def rows_of(captions: list[str]) -> Rows:
    text = [caption.encode() for caption in captions]
    return Rows(0, b"".join(text), np.cumsum([0, *map(len, text)]))


def read(words: Words) -> list[bytes]:
    return [words.text[a:b].tobytes() for a, b in zip(words.starts, words.ends, strict=True)]


@given(CAPTIONS)
def test_the_words_are_those_of_each_caption_by_itself(captions: list[str]) -> None:
    rows = rows_of(captions)
    words = Words.split(rows, TABLE)
    by_row = [re.findall(rb"[a-zA-Z0-9]+", caption.encode()) for caption in captions]
    assert read(words) == [word for found in by_row for word in found]
    assert rows.of(words.starts).tolist() == [row for row, found in enumerate(by_row) for _ in found]


@given(CAPTIONS)
def test_rows_with_a_byte_above_127_are_told(captions: list[str]) -> None:
    assert rows_of(captions).not_ascii().tolist() == [not caption.isascii() for caption in captions]


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=9)), max_size=12), st.integers(1, 20), st.integers(0, 3)
)
def test_slices_hold_every_row_once_and_keep_to_the_limit(
    captions: list[str | None], limit: int, skipped: int
) -> None:
    column = pa.array(captions, pa.string()).slice(skipped)
    seen: list[str] = []
    for rows in row_slices(column, limit):
        assert rows.first == len(seen)
        assert len(rows.text) <= limit or len(rows.offsets) == 2
        pairs = zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
        seen += [rows.text[begin:end].decode() for begin, end in pairs]
    assert seen == [caption or "" for caption in captions[skipped:]]


@given(
    st.lists(st.text(alphabet="ab", min_size=1, max_size=19), unique=True, max_size=40),
    st.lists(st.text(alphabet="ab", min_size=1, max_size=20), max_size=40),
)
def test_a_table_knows_its_words_and_no_others(known: list[str], captions: list[str]) -> None:
    table = WordTable([word.encode() for word in known], range(0, len(known), 2))
    words = Words.split(rows_of(captions), TABLE)
    ids = table.identify(words, np.arange(len(captions)))
    assert ids.tolist() == [known.index(word) if word in known else -1 for word in captions]
    which, found = table.find(words)
    assert found.tolist() == ids[which].tolist()
    assert set(np.flatnonzero((ids >= 0) & (ids % 2 == 0))) <= set(which)


@pytest.mark.parametrize("size", [7, 8, 9, 16, 17, 300])
def test_words_that_differ_in_their_last_letter_or_length_are_told_apart(size: int) -> None:
    word = "a" * size
    table = WordTable([word.encode()], [0])
    words = Words.split(rows_of([word, word[:-1] + "b", word + "a", word[:-1]]), TABLE)
    assert table.find(words)[0].tolist() == [0]
