"""Corpora of image files with captions beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import fsspec
import pyarrow as pa

from ...schemas.errors import CorpusError
from ...schemas.samples import BadSample, Sample, Shard
from ..storage import join, locate, reported_as
from .batches import CaptionRow, in_batches
from .columns import USUAL, Columns
from .folder_index import Entry, FolderIndex, read_index
from .image_files import load_file, measured
from .sidecars import captions_beside

Place = tuple[fsspec.AbstractFileSystem, str]


@dataclass(frozen=True)
class FolderCorpus:
    """The images below a folder, sorted by path and cut into shards of ``shard_size``.

    Captions of an image are those of a ``metadata.jsonl`` or ``metadata.csv`` (in any folder; its file names
    are relative to itself), else of the ``.json`` beside the image (``captions`` or ``caption``), else the
    lines of the ``.txt`` beside it; an image without any is a sample without captions. The key is the path
    below the folder without its extension. A ``.txt`` or ``.json`` without an image is a BadSample; hidden
    files and img2dataset's ``*_stats.json`` are passed over.

    Args:
        columns: of the metadata; the image column is ``file_name`` unless named, a key column is not used.
        limit: take no more images than this.
    """

    name: str
    uri: str
    columns: Columns = USUAL
    shard_size: int = 1000
    limit: int | None = None

    def shards(self) -> list[Shard]:
        index = _read(self.uri, self.columns)
        total = len(index.entries)
        count = total if self.limit is None else min(self.limit, total)
        starts = range(0, count, self.shard_size)
        stops = [min(start + self.shard_size, count) for start in starts]
        return [
            Shard(f"{number:05d}", self.uri, f"{index.digest}-{start}-{stop}", start, stop)
            for number, (start, stop) in enumerate(zip(starts, stops, strict=True))
        ]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        place = locate(self.uri)
        for entry in self._entries(shard):
            yield _sample(entry, place)

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        place = locate(self.uri)
        return in_batches(_caption_row(entry, place, content) for entry in self._entries(shard))

    def _entries(self, shard: Shard) -> Sequence[Entry]:
        digest = shard.fingerprint.partition("-")[0]
        index = _remembered(self.uri, self.columns, digest)
        if index.digest != digest:
            raise CorpusError(f"{self.uri!r} has changed since the run was planned; start the run again")
        return index.entries[shard.first : shard.last]


def _read(uri: str, columns: Columns) -> FolderIndex:
    with reported_as(CorpusError, f"corpus {uri!r} cannot be listed"):
        fs, path = locate(uri)
        fs.invalidate_cache()
        if not fs.isdir(path):
            raise CorpusError(f"no corpus at {uri!r}: there is no such folder")
        index = read_index(fs, path, columns)
    if not index.entries:
        raise CorpusError(f"no images in {uri!r} or below it")
    return index


@lru_cache(maxsize=2)
def _remembered(uri: str, columns: Columns, _digest: str) -> FolderIndex:
    """List a folder once per process and state; every shard of a worker needs it."""
    return _read(uri, columns)


def _sample(entry: Entry, place: Place) -> Sample | BadSample:
    captions = _captions(entry, place)
    if isinstance(captions, BadSample):
        return captions
    data = load_file(entry.key, place[0], join(place[1], entry.path))
    return data if isinstance(data, BadSample) else Sample(entry.key, data, captions)


def _caption_row(entry: Entry, place: Place, content: bool) -> CaptionRow | BadSample:
    captions = _captions(entry, place)
    if isinstance(captions, BadSample):
        return captions
    data = load_file(entry.key, place[0], join(place[1], entry.path)) if content else None
    return CaptionRow(entry.key, captions, *(measured(data) if isinstance(data, bytes) else ()))


def _captions(entry: Entry, place: Place) -> tuple[str | None, ...] | BadSample:
    if entry.problem is not None:
        return entry.problem
    if entry.captions:
        return entry.captions
    return captions_beside(entry.key, place[0], *(name and join(place[1], name) for name in entry.sidecars))
