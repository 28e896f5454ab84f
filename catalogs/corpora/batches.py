"""Samples without their images, gathered into Arrow batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from ...schemas.samples import CAPTION_BATCH, BadSample

MAX_ROWS = 16_384
MAX_TEXT = 1 << 24  # bytes of text, about; one caption may be longer than this


class CaptionRow(NamedTuple):
    """One row of ``CAPTION_BATCH``; sizes are in pixels. A tuple, because corpora of text make millions."""

    key: str
    captions: Sequence[str | None] = ()
    digest: str | None = None
    width: int | None = None
    height: int | None = None


def in_batches(rows: Iterable[CaptionRow | BadSample]) -> Iterator[pa.RecordBatch | BadSample]:
    """Gather rows into batches of ``CAPTION_BATCH``, in order; a BadSample is passed on at once.

    A batch has at most ``MAX_ROWS`` rows, and ends with the row that brings its text to ``MAX_TEXT``. Lone
    surrogates, which JSON can hold and Arrow cannot, become question marks.
    """
    gathered: list[CaptionRow] = []
    text = 0
    for row in rows:
        if isinstance(row, BadSample):
            yield row
            continue
        gathered.append(row)
        text += len(row.key) + sum([len(caption) for caption in row.captions if caption])
        if len(gathered) == MAX_ROWS or text >= MAX_TEXT:
            yield _batch(gathered)
            gathered, text = [], 0
    if gathered:
        yield _batch(gathered)


def _batch(rows: list[CaptionRow]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    try:
        arrays = _arrays(columns)
    except UnicodeEncodeError:
        keys, captions = ([storable_text(key) for key in columns[0]], [_storable(row) for row in columns[1]])
        arrays = _arrays([keys, captions, *columns[2:]])
    return pa.RecordBatch.from_arrays(arrays, schema=CAPTION_BATCH)


def _arrays(columns: Sequence[Sequence[Any]]) -> list[pa.Array]:
    return [pa.array(column, field.type) for column, field in zip(columns, CAPTION_BATCH, strict=True)]


def _storable(captions: Sequence[str | None]) -> list[str | None]:
    return [None if caption is None else storable_text(caption) for caption in captions]


def storable_text(text: str) -> str:
    """Return the text with lone surrogates as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def stated_size(value: object) -> int | None:
    """Return a width or height that metadata states, None where it is no possible one."""
    possible = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31
    return value if possible and isinstance(value, int) else None
