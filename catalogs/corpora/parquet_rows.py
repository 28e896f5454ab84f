"""The rows of one shard of a Parquet file, as caption batches or as samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...schemas.errors import ErrorReason
from ...schemas.samples import CAPTION_BATCH, BadSample, Sample, Shard
from ..storage import one_line
from .arrow_texts import caption_lists, path_keys, pixels, slices, texts
from .batches import MAX_ROWS, storable_text
from .image_files import ImageFiles, is_web, measured
from .parquet_layout import PATH, Layout

_IMAGE_ROWS = 32  # rows that are held at once where they carry images


@dataclass(frozen=True)
class _Block:
    """Some rows of a file: ``table`` in the schema of captions, where only ``good`` rows can be relied on."""

    table: pa.RecordBatch
    good: NDArray[np.bool_]
    faults: list[BadSample]
    images: pa.Array | None


class ParquetRows:
    """Reads a shard by row groups; what is damaged costs the rest of its own row group."""

    def __init__(self, file: pq.ParquetFile, layout: Layout, shard: Shard) -> None:
        self.layout = layout
        self._file = file
        self._shard = shard
        self._stem = storable_text(PurePosixPath(shard.uri).stem)

    @property
    def columns(self) -> str:
        """The file's columns, for a message."""
        return ", ".join(self._file.schema_arrow.names)[:400]

    def captions(self, images: ImageFiles | None) -> Iterator[pa.RecordBatch | BadSample]:
        """Yield batches of ``CAPTION_BATCH``; with ``images`` their digests and sizes are looked up."""
        wanted = self._to_measure() if images else None
        for block in self._blocks(wanted):
            if isinstance(block, BadSample):
                yield block
                continue
            yield from block.faults
            table = block.table if block.good.all() else block.table.filter(pa.array(block.good))
            if images and block.images is not None:
                kept = block.images.filter(pa.array(block.good))
                table = self._measured(table, kept, images)
            yield from slices(table)

    def samples(self, images: ImageFiles) -> Iterator[Sample | BadSample]:
        """Yield the rows with their images."""
        for block in self._blocks(self.layout.image):
            if isinstance(block, BadSample):
                yield block
                continue
            yield from block.faults
            for row in np.flatnonzero(block.good).tolist():
                key = block.table["key"][row].as_py()
                data = self._load(key, _plain(block.images, row), images)
                captions = tuple(block.table["captions"][row].as_py())
                yield data if isinstance(data, BadSample) else Sample(key, data, captions)

    def _to_measure(self) -> str | None:
        """Return the image column, unless it holds paths and the file states everything about them."""
        stated = (self.layout.digest, self.layout.width, self.layout.height)
        return None if self.layout.kind == PATH and all(stated) else self.layout.image

    def _measured(self, table: pa.RecordBatch, column: pa.Array, images: ImageFiles) -> pa.RecordBatch:
        rows = []
        stated = [table[name].to_pylist() for name in ("digest", "width", "height")]
        for row, key in enumerate(table["key"].to_pylist()):
            image = _plain(column, row)
            unread = isinstance(image, str) and is_web(image)
            data = None if unread or image is None else self._load(key, image, images)
            rows.append(measured(data) if isinstance(data, bytes) else tuple(s[row] for s in stated))
        digests, widths, heights = zip(*rows, strict=True) if rows else ((), (), ())
        fresh = [pa.array(digests, pa.string()), pa.array(widths, pa.int32()), pa.array(heights, pa.int32())]
        return pa.RecordBatch.from_arrays([*table.columns[:2], *fresh], schema=CAPTION_BATCH)

    def _load(self, key: str, image: Any, images: ImageFiles) -> bytes | BadSample:
        if isinstance(image, bytes):
            return image
        if not image:
            return BadSample(key, ErrorReason.MISSING_IMAGE, "the row has no image")
        return images.load(key, image)

    def _blocks(self, image: str | None) -> Iterator[_Block | BadSample]:
        """Read the shard in blocks, with the image column if one is given; damage is yielded."""
        again = self._repeated()
        layout = self.layout
        names = [layout.key_source, *layout.captions, layout.digest, layout.width, layout.height]
        columns = list(dict.fromkeys(name for name in (*names, layout.status, image) if name))
        size = MAX_ROWS if image is None else _IMAGE_ROWS
        for group, start in self._groups():
            row = start
            try:
                for batch in self._file.iter_batches(size, row_groups=[group], columns=columns):
                    first = row - self._shard.first
                    yield self._block(batch, row, again[first : first + len(batch)], image)
                    row += len(batch)
            except (pa.ArrowException, OSError) as err:
                if not is_damage(err):
                    raise
                detail = f"row group {group} cannot be read from row {row} on: {one_line(err)}"
                yield BadSample(None, ErrorReason.TRUNCATED_SHARD, detail)

    def _groups(self) -> Iterator[tuple[int, int]]:
        """Yield the shard's row groups and the row that each begins with."""
        start = 0
        for group in range(self._file.metadata.num_row_groups):
            if start >= self._shard.first and (self._shard.last is None or start < self._shard.last):
                yield group, start
            start += self._file.metadata.row_group(group).num_rows

    def _block(
        self, batch: pa.RecordBatch, start: int, again: NDArray[np.bool_], image: str | None
    ) -> _Block:
        layout, rows = self.layout, len(batch)
        keys, bad = self._keys(batch, start)
        captions, bad_captions = caption_lists([batch[name] for name in layout.captions], rows)
        bad |= bad_captions
        digest = texts(batch[layout.digest])[0] if layout.digest else pa.nulls(rows, pa.string())
        sizes = [pixels(batch[n]) if n else pa.nulls(rows, pa.int32()) for n in (layout.width, layout.height)]
        table = pa.RecordBatch.from_arrays([keys, captions, digest, *sizes], schema=CAPTION_BATCH)
        wanted = _succeeded(batch, layout.status)
        faults = [_fault(keys[row].as_py(), row + start, again[row]) for row in _rows(wanted & (bad | again))]
        return _Block(table, wanted & ~(bad | again), faults, None if image is None else batch[image])

    def _keys(self, batch: pa.RecordBatch, start: int) -> tuple[pa.Array, NDArray[np.bool_]]:
        """Return keys, and which rows have none that can be used."""
        if self.layout.key_source is None:
            numbers = pa.array(np.arange(start, start + len(batch))).cast(pa.string())
            return pc.binary_join_element_wise(self._stem, numbers, "-"), np.zeros(len(batch), bool)
        keys, _ = texts(batch[self.layout.key_source])
        if self.layout.key is None:
            keys = path_keys(keys)
        return keys, ~np.asarray(pc.fill_null(pc.greater(pc.binary_length(keys), 0), False))

    def _repeated(self) -> NDArray[np.bool_]:
        """Return for each row of the shard whether its key occurs before it."""
        total = sum(self._file.metadata.row_group(group).num_rows for group, _ in self._groups())
        if self.layout.key_source is None:
            return np.zeros(total, bool)
        columns = [name for name in (self.layout.key_source, self.layout.status) if name]
        chunks = []
        for group, start in self._groups():
            try:
                for batch in self._file.iter_batches(1 << 16, row_groups=[group], columns=columns):
                    keys, _ = self._keys(batch, start)
                    chunks.append(pc.if_else(pa.array(_succeeded(batch, self.layout.status)), keys, None))
            except (pa.ArrowException, OSError) as err:
                if not is_damage(err):
                    raise
            read = sum(map(len, chunks))
            expected = start - self._shard.first + self._file.metadata.row_group(group).num_rows
            chunks.append(pa.nulls(expected - read, pa.string()))
        return _repeats(pa.chunked_array(chunks, pa.string()))


def is_damage(err: BaseException) -> bool:
    """Return whether an error is about a file's content; a store's own have a number or a type."""
    return isinstance(err, pa.ArrowException) or (type(err) is OSError and err.errno is None)


def _repeats(keys: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return where a value has occurred before; nulls never have."""
    encoded = keys.dictionary_encode()  # numbers values in the order of their first occurrence
    parts = [np.asarray(pc.fill_null(chunk.indices, -1), np.int64) for chunk in encoded.chunks]
    numbers = np.concatenate([np.empty(0, np.int64), *parts])
    before = np.concatenate([[-1], np.maximum.accumulate(numbers)[:-1]]) if len(numbers) else numbers
    return np.asarray((numbers >= 0) & (numbers <= before))


def _succeeded(batch: pa.RecordBatch, status: str | None) -> NDArray[np.bool_]:
    if status is None:
        return np.ones(len(batch), bool)
    return np.asarray(pc.fill_null(pc.equal(texts(batch[status])[0], "success"), False))


def _rows(mask: NDArray[np.bool_]) -> list[int]:
    return [int(row) for row in np.flatnonzero(mask)]


def _fault(key: str | None, row: int, again: bool) -> BadSample:
    if again:
        return BadSample(key, ErrorReason.DUPLICATE_KEY, f"row {row} has the key of a row before it")
    if not key:
        return BadSample(None, ErrorReason.BAD_METADATA, f"row {row} has no key that is UTF-8 text")
    return BadSample(key, ErrorReason.BAD_METADATA, f"a caption of row {row} is not UTF-8 text")


def _plain(column: pa.Array, row: int) -> Any:
    """Return the image of a row: bytes, a path or None."""
    try:
        value = column[row].as_py()
    except UnicodeDecodeError:
        return None
    if isinstance(value, dict):
        return value.get("bytes") if value.get("bytes") is not None else value.get("path")
    return value
