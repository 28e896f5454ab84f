from __future__ import annotations

from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.corpora import delimited_columns
from maskmill.catalogs.corpora.columns import Columns
from maskmill.catalogs.corpora.delimited import DelimitedCorpus
from maskmill.catalogs.corpora.delimited_columns import plain_batch
from maskmill.catalogs.corpora.delimited_lines import Quoting
from maskmill.catalogs.corpora.delimited_table import Table
from maskmill.schemas.samples import BadSample

TABLE = Table("\t", Quoting.NONE, False, 2, None, (1,), 0, 20.0, True)
_KEYS = st.sampled_from(["http://x/a.jpg", "b.jpg", "c/d", "قطة", ""]) | st.text("ab/.", max_size=4)
_WHOLE = st.tuples(_KEYS, st.text('a"🐈 ', max_size=4)).map("\t".join)
_LINES = st.lists(_WHOLE | st.sampled_from(["", "one", "a\tb\tc", "a\0\tb", "e\tf\r"]), max_size=6)
_HEAD = [f"k{i}\tv" for i in range(7)]  # more lines of two fields than of any other number
_COLUMNS = [Columns(None, ("1",), "0"), Columns("0", ("1", "0")), Columns("0", ("1",), "1")]


@given(_LINES, st.sampled_from(_COLUMNS))
def test_the_batch_is_what_the_lines_are_one_by_one(lines: list[str], columns: Columns) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/lines/x.tsv", "\n".join([*_HEAD, *lines]).encode())
    corpus = DelimitedCorpus("d", "memory://lines/x.tsv", columns)
    (shard,) = corpus.shards()
    fast = list(corpus.captions(shard, False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskmill.catalogs.corpora.delimited.plain_batch", lambda *_: None)
        slow = list(corpus.captions(shard, False))
    assert [b for b in fast if isinstance(b, BadSample)] == [b for b in slow if isinstance(b, BadSample)]
    assert _rows(fast) == _rows(slow)
    fs.rm("/lines", recursive=True)


def _rows(found: list[Any]) -> list[dict[str, Any]]:
    return [row for batch in found if not isinstance(batch, BadSample) for row in batch.to_pylist()]


def test_faultless_lines_are_one_batch() -> None:
    batch = plain_batch('http://x/a\tone\n\nhttp://x/b\t\nhttp://x/c\t"قطة" 🐈'.encode(), TABLE, True)
    assert batch is not None
    batch.validate(full=True)
    assert batch["key"].to_pylist() == ["http://x/a", "http://x/b", "http://x/c"]
    assert batch["captions"].to_pylist() == [["one"], [None], ['"قطة" 🐈']]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a\tb\0",
        b"a\tb\r\n",
        b"a\t\xff",
        b"a\tb\tc",
        b"a",
        b"a\tb\na\tc",
        b"\tb",
        b"a.jpg\tb\na\tc",
    ],
)
def test_any_fault_leaves_the_lines_to_be_read_one_by_one(data: bytes) -> None:
    assert plain_batch(data, TABLE, False) is None


def test_images_that_must_be_opened_leave_it_too() -> None:
    assert plain_batch(b"a.jpg\tb", TABLE, True) is None
    assert plain_batch(b"a.jpg\tb", TABLE, False) is not None
    assert delimited_columns.LARGEST >= 100_000 * 300
