"""Corpora of delimited text: CC3M's and CC12M's TSV, Flickr8k's CSV, and any with such columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO

import fsspec
import pyarrow as pa

from ...schemas.errors import CorpusError, ErrorReason
from ...schemas.samples import BadSample, Sample, Shard
from ..storage import locate, reported_as
from .arrow_texts import slices
from .base import safe_shard_id
from .batches import MAX_ROWS, CaptionRow, in_batches
from .columns import USUAL, Columns, image_key
from .delimited_columns import LARGEST, plain_batch
from .delimited_lines import Fault, Quoting, Record, line_blocks, records
from .delimited_table import HEAD_LINES, Table, find_table
from .image_files import ImageFiles, is_web, measured
from .listing import CorpusFile, file_state, list_files
from .parquet import TEXT_ROWS


@dataclass(frozen=True)
class DelimitedCorpus:
    """A ``.csv``, a ``.tsv``, any other file of delimited text, a pattern of them, or a folder with some.

    Files with a header (and all ``.csv``) are one shard each. Others are cut into ranges of bytes, which
    ``first`` and ``last`` of a shard count; a line belongs to the range that it begins in. Ranges have about
    ``shard_size`` lines, but at least 100,000 where images are web addresses.

    A sample's key is the key column's. Without one it is the image's URL, or its path without the extension.
    Consecutive lines of one key are one sample with several captions; where a key occurs again further on in
    the shard, its line is yielded as BadSample, and so is every line that has not the right number of fields,
    is not UTF-8, has a NUL or a quote that is not closed. An empty caption is a null caption.

    Images in the web are fetched by :meth:`read`, never by :meth:`captions`.

    Args:
        columns: which columns to take, by name or number; those left out are found.
        images: folder of the image files that paths refer to; None for ``images`` beside, or the own folder.
        limit: take whole shards until they hold about this many lines.
    """

    name: str
    uri: str
    columns: Columns = USUAL
    images: str | None = None
    shard_size: int = 1000
    limit: int | None = None

    def shards(self) -> list[Shard]:
        fs, files = list_files(self.uri, (".tsv", ".csv"), cut=False)
        shards: list[Shard] = []
        lines = 0.0
        with reported_as(CorpusError, f"corpus {self.uri!r} cannot be read"):
            for file in files:
                for shard, held in self._shards_of(fs, file):
                    if self.limit is None or lines < self.limit:
                        shards.append(shard)
                    lines += held
        return shards

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        with self._open(shard) as (file, table):
            if table.image is None:
                raise CorpusError(f"no image column in {shard.uri!r}; name it")
            images = ImageFiles(shard.uri, self.images)
            for line in _grouped(file, table, shard):
                if isinstance(line, BadSample):
                    yield line
                    continue
                data = images.load(line.key, line.image)
                yield data if isinstance(data, BadSample) else Sample(line.key, data, tuple(line.captions))

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        with self._open(shard) as (file, table):
            if (batch := _plain(file, table, shard, content)) is not None:
                for start in range(0, len(batch), MAX_ROWS):
                    yield from slices(batch.slice(start, MAX_ROWS))
                return
            images = ImageFiles(shard.uri, self.images) if content else None
            yield from in_batches(_caption_rows(_grouped(file, table, shard), images))

    def _shards_of(self, fs: fsspec.AbstractFileSystem, file: CorpusFile) -> Iterator[tuple[Shard, float]]:
        """Yield the shards of a file and about how many lines they hold."""
        with fs.open(file.path, "rb") as source:
            table = find_table(file.uri, _head(source), self.columns)
        whole = Shard(file.shard_id, file.uri, file_state(fs, file.path, self.columns))
        size = int(file.info["size"])
        rows = max(self.shard_size, TEXT_ROWS) if table.web else self.shard_size
        step = max(int(rows * table.line_bytes), 1)
        if table.header or table.delimiter == ",":
            yield whole, size / table.line_bytes
            return
        if size <= step:
            yield replace(whole, last=size), size / table.line_bytes
            return
        for number, start in enumerate(range(0, size, step)):
            part = safe_shard_id(f"{file.shard_id}.part{number:05d}")
            yield replace(whole, shard_id=part, first=start, last=min(start + step, size)), rows

    @contextmanager
    def _open(self, shard: Shard) -> Iterator[tuple[IO[bytes], Table]]:
        fs, path = locate(shard.uri)
        try:
            if file_state(fs, path, self.columns) != shard.fingerprint:
                raise CorpusError(f"{shard.uri!r} has changed since the run was planned; start the run again")
            file = fs.open(path, "rb")
        except (FileNotFoundError, PermissionError) as err:
            raise CorpusError(f"shard {shard.uri!r} has vanished or may not be read: {err}") from err
        with file:
            table = find_table(shard.uri, _head(file), self.columns)
            file.seek(0)
            yield file, table


def _plain(file: IO[bytes], table: Table, shard: Shard, content: bool) -> pa.RecordBatch | None:
    """Read the shard as a whole if it is a range of bounded size without faults; else rewind the file."""
    if table.quoting is not Quoting.NONE or shard.last is None or shard.last - shard.first > LARGEST:
        return None
    batch = plain_batch(b"".join(line_blocks(file, shard.first, shard.last)), table, content)
    file.seek(0)
    return batch


def _head(file: IO[bytes]) -> list[bytes]:
    return [line for _ in range(HEAD_LINES) if (line := file.readline())]


@dataclass(slots=True)
class _Line:
    """A sample in the making."""

    key: str
    image: str
    captions: list[str | None]


def _grouped(file: IO[bytes], table: Table, shard: Shard) -> Iterator[_Line | BadSample]:
    """Yield the samples of a shard: consecutive lines of one key together."""
    place = "line" if not shard.first else f"after byte {shard.first}, line"
    seen: set[str] = set()
    current: _Line | None = None
    for number, line in _parsed(file, table, shard):
        if isinstance(line, str):
            yield BadSample(None, ErrorReason.BAD_METADATA, f"{place} {number}: {line}")
            continue
        if current is not None and line.key == current.key:
            current.captions += line.captions
            continue
        if current is not None:
            yield current
            current = None
        if line.key in seen:
            detail = f"{place} {number}: the key occurs before, with others in between; sort lines by image"
            yield BadSample(line.key, ErrorReason.DUPLICATE_KEY, detail)
            continue
        seen.add(line.key)
        current = line
    if current is not None:
        yield current


def _parsed(file: IO[bytes], table: Table, shard: Shard) -> Iterator[tuple[int, _Line | str]]:
    """Yield line numbers with what a line holds or what is wrong with it."""
    lines: Iterable[Record] = records(file, shard.first, shard.last, table.delimiter, table.quoting)
    key_of, image, captions, width = _key_of(table), table.image, table.captions, table.fields
    if table.header and not shard.first:
        lines = islice(lines, 1, None)
    for number, fields in lines:
        if isinstance(fields, Fault):
            yield number, fields.detail
        elif len(fields) != width:
            yield number, f"{len(fields)} fields, not {width}"
        elif key := key_of(fields):
            found = [fields[place] or None for place in captions]
            yield number, _Line(key, "" if image is None else fields[image], found)
        else:
            yield number, "no key and no image"


def _key_of(table: Table) -> Callable[[list[str]], str]:
    key, image = table.key, table.image
    if key is not None:
        return lambda fields: fields[key]
    return lambda fields: image_key(fields[image or 0])


def _caption_rows(
    lines: Iterable[_Line | BadSample], images: ImageFiles | None
) -> Iterator[CaptionRow | BadSample]:
    for line in lines:
        if isinstance(line, BadSample):
            yield line
        elif images is None or not line.image or is_web(line.image):
            yield CaptionRow(line.key, line.captions)
        else:
            data = images.load(line.key, line.image)
            found = measured(data) if isinstance(data, bytes) else ()
            yield CaptionRow(line.key, line.captions, *found)
