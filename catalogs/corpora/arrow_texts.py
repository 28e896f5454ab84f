"""Arrow columns of any corpus brought to the types of ``CAPTION_BATCH``, without a loop over rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .batches import MAX_TEXT
from .parquet_layout import is_list

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


def texts(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Return a column of text or whole numbers as strings, and where it is not UTF-8; those are null."""
    strings = column if column.type == pa.string() else column.cast(pa.string())
    try:
        # Parquet does not promise UTF-8, and Arrow believes it until somebody looks.
        strings.validate(full=True)
    except pa.ArrowInvalid:
        pairs = [_decoded(value) for value in strings.cast(pa.binary()).to_pylist()]
        return pa.array([text for text, _ in pairs], pa.string()), np.array([bad for _, bad in pairs])
    return strings, np.zeros(len(strings), bool)


def _decoded(value: bytes | None) -> tuple[str | None, bool]:
    try:
        return (None if value is None else value.decode()), False
    except UnicodeDecodeError:
        return None, True


def caption_lists(columns: Sequence[pa.Array], rows: int) -> tuple[pa.ListArray, Mask]:
    """Return the captions of all columns, in the columns' order, and which rows are not UTF-8.

    A null in a column of text is a null caption, a null in a column of lists is no caption.
    """
    bad = np.zeros(rows, bool)
    flat: list[pa.Array] = []
    lengths: list[Ints] = []
    for column in columns:
        nested = is_list(column.type)
        counts = _list_lengths(column) if nested else np.ones(rows, np.int64)
        values, wrong = texts(column.flatten() if nested else column)
        if wrong.any():
            bad[np.repeat(np.arange(rows), counts)[wrong]] = True
        flat.append(values)
        lengths.append(counts)
    offsets = _offsets(np.sum(lengths, axis=0) if lengths else np.zeros(rows, np.int64))
    values = _interleaved(flat, lengths, offsets)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values), bad


def _list_lengths(column: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _interleaved(flat: list[pa.Array], lengths: list[Ints], offsets: Ints) -> pa.Array:
    if len(flat) < 2:
        return flat[0] if flat else pa.array([], pa.string())
    order = np.empty(int(offsets[-1]), np.int64)
    starts, base = offsets[:-1].copy(), 0
    for counts in lengths:
        within = np.arange(counts.sum()) - np.repeat(_offsets(counts)[:-1], counts)
        order[np.repeat(starts, counts) + within] = base + np.arange(counts.sum())
        starts += counts
        base += int(counts.sum())
    return pa.concat_arrays(flat).take(pa.array(order))


def path_keys(names: pa.Array) -> pa.Array:
    """Return :func:`.columns.image_key` of a column of paths and URLs."""
    stems = pc.replace_substring_regex(names, r"([^/])\.[^./]+\z", r"\1")
    return pc.if_else(pc.match_substring(names, "://"), names, stems)


def pixels(column: pa.Array) -> pa.Array:
    """Return widths or heights as int32, null where a value is none."""
    possible = pc.and_(pc.greater(column, 0), pc.less(column, 1 << 31))
    return pc.if_else(possible, column, None).cast(pa.int32(), safe=False)


def slices(table: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch where its text exceeds ``MAX_TEXT`` bytes; a batch without rows is left out."""
    if table.nbytes <= MAX_TEXT:
        if len(table):
            yield table
        return
    captions = table["captions"]
    bounds = _offsets(_list_lengths(captions))
    sizes = _offsets(np.asarray(pc.fill_null(pc.binary_length(captions.flatten()), 0), np.int64))[bounds]
    sizes = sizes + _offsets(np.asarray(pc.binary_length(table["key"]), np.int64))
    start = 0
    while start < len(table):
        stop = int(np.searchsorted(sizes, sizes[start] + MAX_TEXT, side="left"))
        stop = min(max(stop, start + 1), len(table))
        yield table.slice(start, stop - start)
        start = stop
