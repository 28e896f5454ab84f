"""Corpora of Parquet files: img2dataset's, Hugging Face's, and any with columns of captions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.errors import CorpusError, ErrorReason
from ...schemas.samples import BadSample, Sample, Shard
from ..storage import locate, one_line
from .base import safe_shard_id
from .columns import USUAL, Columns
from .image_files import ImageFiles, is_web
from .listing import CorpusFile, file_state, list_files
from .parquet_layout import PATH, Layout, find_layout
from .parquet_rows import ParquetRows, is_damage

TEXT_ROWS = 100_000  # rows of a shard of captions alone: a thousand of them are too few to be worth a file


@dataclass(frozen=True)
class ParquetCorpus:
    """A folder of ``*.parquet``, a pattern, or one file.

    A file is a shard; one with more rows than a shard should have is cut between row groups, and ``first``
    and ``last`` of its shards count rows. Shards have about ``shard_size`` rows, but at least 100,000 where
    the file has neither images nor paths of image files (only web addresses, or nothing).

    A sample's key is the key column's. Without one it is the image's URL, or its path without the extension,
    and where the images are bytes, the file's name and the row number (``train-00000-17``): such keys hold as
    long as the file is not rewritten. Keys are unique in a shard; repeated ones are yielded as BadSample.

    Where a file has the columns ``status`` and ``error_message`` img2dataset wrote it; rows whose status is
    not ``success`` have no image and are no samples.

    ``sha256`` (else ``md5``), ``width`` and ``height`` columns are what the corpus states of its images.
    Images in the web are fetched by :meth:`read`, never by :meth:`captions`.

    Args:
        columns: which columns to take; those left out are found by name.
        images: folder of the image files that paths refer to; None for ``images`` beside, or the own folder.
        limit: take whole shards until they hold this many rows.
    """

    name: str
    uri: str
    columns: Columns = USUAL
    images: str | None = None
    shard_size: int = 1000
    limit: int | None = None

    def shards(self) -> list[Shard]:
        fs, files = list_files(self.uri, (".parquet", ".pq"))
        shards: list[Shard] = []
        rows = 0
        for file in files:
            for shard, held in self._shards_of(fs, file):
                if self.limit is None or rows < self.limit:
                    shards.append(shard)
                rows += held
            if self.limit is not None and rows >= self.limit:
                break
        return shards

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        with self._open(shard) as opened:
            if isinstance(opened, BadSample):
                yield opened
                return
            if opened.layout.image is None:
                raise CorpusError(f"no image column in {shard.uri!r}; name one of {opened.columns}")
            yield from opened.samples(ImageFiles(shard.uri, self.images))

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        with self._open(shard) as opened:
            if isinstance(opened, BadSample):
                yield opened
                return
            yield from opened.captions(ImageFiles(shard.uri, self.images) if content else None)

    def _shards_of(self, fs: fsspec.AbstractFileSystem, file: CorpusFile) -> Iterator[tuple[Shard, int]]:
        """Yield the shards of a file and how many rows they hold; a damaged file is one shard of none."""
        whole = Shard(file.shard_id, file.uri, file_state(fs, file.path, self.columns))
        with fs.open(file.path, "rb") as source:
            try:
                parquet = pq.ParquetFile(source)
            except (pa.ArrowException, OSError) as err:
                if not is_damage(err):
                    raise
                yield whole, 0
                return
            layout = find_layout(parquet.schema_arrow, self.columns, file.uri)
            ranges = _row_ranges(parquet.metadata, self._rows_per_shard(parquet, layout))
        if len(ranges) < 2:
            yield whole, sum(stop - start for start, stop in ranges)
            return
        for number, (start, stop) in enumerate(ranges):
            part = safe_shard_id(f"{file.shard_id}.part{number:05d}")
            yield replace(whole, shard_id=part, first=start, last=stop), stop - start

    def _rows_per_shard(self, parquet: pq.ParquetFile, layout: Layout) -> int:
        has_files = layout.image is not None
        if layout.kind == PATH and parquet.metadata.num_rows > self.shard_size:
            head = next(parquet.iter_batches(100, columns=[layout.image]), None)
            names = head.column(0).drop_null().to_pylist() if head else []
            has_files = not all(is_web(str(name)) for name in names)
        return self.shard_size if has_files else max(self.shard_size, TEXT_ROWS)

    @contextmanager
    def _open(self, shard: Shard) -> Iterator[ParquetRows | BadSample]:
        fs, path = locate(shard.uri)
        try:
            if file_state(fs, path, self.columns) != shard.fingerprint:
                raise CorpusError(f"{shard.uri!r} has changed since the run was planned; start the run again")
            source = fs.open(path, "rb")
        except (FileNotFoundError, PermissionError) as err:
            raise CorpusError(f"shard {shard.uri!r} has vanished or may not be read: {err}") from err
        with source:
            try:
                parquet = pq.ParquetFile(source)
            except (pa.ArrowException, OSError) as err:
                if not is_damage(err):
                    raise
                yield BadSample(None, ErrorReason.UNREADABLE_SHARD, f"this is no Parquet: {one_line(err)}")
                return
            layout = find_layout(parquet.schema_arrow, self.columns, shard.uri)
            yield ParquetRows(parquet, layout, shard)


def _row_ranges(metadata: pq.FileMetaData, rows: int) -> list[tuple[int, int]]:
    """Cut a file between row groups into half-open ranges of at least ``rows`` rows, but for the last."""
    ranges: list[tuple[int, int]] = []
    start = stop = 0
    for group in range(metadata.num_row_groups):
        stop += metadata.row_group(group).num_rows
        if stop - start >= rows:
            ranges.append((start, stop))
            start = stop
    return ranges + ([(start, stop)] if stop > start else [])
