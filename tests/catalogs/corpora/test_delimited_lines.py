from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskmill.catalogs.corpora.delimited_lines import Fault, Quoting, Record, records, split_fields


def _records(data: bytes, quoting: Quoting = Quoting.STRICT, delimiter: str = ",") -> list[Record]:
    return list(records(io.BytesIO(data), 0, None, delimiter, quoting))


_FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6) | st.text(
    '",\n a', max_size=5
)


@given(st.lists(st.lists(_FIELD, min_size=2, max_size=4), max_size=5))
@example([['"', "\n"], ['a"', '""']])
def test_what_python_writes_is_read_again(rows: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    assert [fields for _, fields in _records(written.getvalue().encode())] == rows


@given(st.text('",a', max_size=12))
def test_fields_are_those_of_pythons_strict_reader(text: str) -> None:
    try:
        expected = next(csv.reader([text], strict=True), [""])
    except csv.Error:
        with pytest.raises(ValueError, match="quote"):
            split_fields(text, ",")
    else:
        assert split_fields(text, ",") == (expected or [""])


def test_a_quote_that_is_not_closed_costs_its_own_line() -> None:
    data = b'a,1\nb,"open\nc,3\n"d","x, y"\ne,"two\nlines"\nf,"junk"z\ng,7\nh,"at the end\ni,9'
    found = _records(data)
    assert [fields for _, fields in found if not isinstance(fields, Fault)] == [
        ["a", "1"],
        ["c", "3"],
        ["d", "x, y"],
        ["e", "two\nlines"],
        ["g", "7"],
        ["i", "9"],
    ]
    assert [number for number, fields in found if isinstance(fields, Fault)] == [2, 7, 9]


def test_many_open_quotes_are_many_broken_lines() -> None:
    found = _records(b'k,"open\n' * 3000)
    assert len(found) == 3000
    assert all(isinstance(fields, Fault) for _, fields in found)


def test_nul_and_what_is_not_utf8_cost_their_own_line() -> None:
    data = b"\xef\xbb\xbfa\t1\r\n\r\nb\t\xff\nc\t3\0\n\nd\t\xf0\x9f\x90\x88\n"
    found = _records(data, Quoting.NONE, "\t")
    assert [f for _, f in found if not isinstance(f, Fault)] == [["a", "1"], ["d", "🐈"]]
    assert [(n, f.detail[:14]) for n, f in found if isinstance(f, Fault)] == [
        (3, "the line is no"),
        (4, "there is a NUL"),
    ]


def test_quotes_mean_what_the_mode_says() -> None:
    data = b'"a b"\t"5 inch" nail\n'
    assert _records(data, Quoting.NONE, "\t")[0][1] == ['"a b"', '"5 inch" nail']
    assert _records(data, Quoting.LENIENT, "\t")[0][1] == ['"a b"', '"5 inch" nail']
    assert _records(b'"a b"\t"c"\n', Quoting.LENIENT, "\t")[0][1] == ["a b", "c"]


@given(
    st.lists(st.text("ab\t🐈", max_size=5).map(str.encode), max_size=12),
    st.booleans(),
    st.lists(st.integers(1, 60), max_size=4),
)
def test_ranges_share_out_the_lines(lines: list[bytes], ends: bool, cuts: list[int]) -> None:
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    bounds = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    found = []
    for first, last in pairwise(bounds):
        found += [f for _, f in records(io.BytesIO(data), first, last, "\t", Quoting.NONE)]
    assert found == [fields for _, fields in _records(data, Quoting.NONE, "\t")]


def test_a_line_may_be_longer_than_a_block() -> None:
    data = b"a\t" + b"x" * (3 << 20) + b"\nb\t" + b"y" * (10 << 20)
    assert [len(f[1]) for _, f in _records(data, Quoting.NONE, "\t") if isinstance(f, list)] == [
        3 << 20,
        10 << 20,
    ]
    quoted = b'a,"' + b'x""' * (1 << 20) + b'"\n'
    assert isinstance(fields := _records(quoted)[0][1], list)
    assert len(fields[1]) == 2 << 20
