"""Corpora of tar shards as img2dataset and webdataset write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import fsspec
import pyarrow as pa

from ...schemas.errors import CorpusError
from ...schemas.samples import BadSample, Sample, Shard
from ..storage import fingerprint, locate, reported_as
from .batches import CaptionRow, in_batches, stated_size
from .image_files import measured
from .listing import list_files
from .tar_samples import image_members, read_tar


@dataclass(frozen=True)
class TarCorpus:
    """A folder of ``*.tar``, a pattern, or one tar; every tar is a shard.

    Args:
        limit: take whole shards until they hold this many images.
    """

    name: str
    uri: str
    limit: int | None = None

    def shards(self) -> list[Shard]:
        fs, files = list_files(self.uri, (".tar",))
        shards = [Shard(file.shard_id, file.uri, fingerprint(file.info)) for file in files]
        if self.limit is None:
            return shards
        with reported_as(CorpusError, f"corpus {self.uri!r} cannot be listed"):
            return self._first(fs, shards, self.limit)

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        fs, path = locate(shard.uri)
        try:
            file = fs.open(path, "rb")
        except (FileNotFoundError, PermissionError) as err:
            raise CorpusError(f"shard {shard.uri!r} has vanished or may not be read: {err}") from err
        with file:
            yield from read_tar(file)

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        return in_batches(_caption_row(sample, content) for sample in self.read(shard))

    def _first(self, fs: fsspec.AbstractFileSystem, shards: list[Shard], limit: int) -> list[Shard]:
        taken: list[Shard] = []
        missing = limit
        for shard in shards:
            if missing <= 0:
                break
            with fs.open(locate(shard.uri)[1], "rb") as file:
                missing -= image_members(file, missing)
            taken.append(shard)
        return taken


def _caption_row(sample: Sample | BadSample, content: bool) -> CaptionRow | BadSample:
    """Return what the sample's image says of itself, or without ``content`` what its metadata says."""
    if isinstance(sample, BadSample):
        return sample
    if content:
        return CaptionRow(sample.key, sample.captions, *measured(sample.image))
    stated = sample.metadata
    hashes = (stated.get("sha256"), stated.get("md5"))
    digest = next((value for value in hashes if isinstance(value, str)), None)
    sizes = (stated_size(stated.get("width")), stated_size(stated.get("height")))
    return CaptionRow(sample.key, sample.captions, digest, *sizes)
