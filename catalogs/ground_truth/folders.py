"""A dataset in one of the usual layouts: its images as a corpus, and its ground truth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...schemas.errors import CorpusError
from ...schemas.samples import BadSample, Sample, Shard
from ...schemas.vocabulary import load_vocabulary
from ..corpora.batches import CaptionRow, in_batches
from ..corpora.image_files import load_file, measured
from ..storage import full_uri, locate, reported_as
from .layouts import LAYOUTS, Layout
from .listing import NotThereError, Pair, find_root, missing


@dataclass(frozen=True)
class FolderDataset:
    """The images of one split, in the order of its list or of their names, cut into shards.

    Args:
        name: of the layout, see :data:`LAYOUTS`.
        uri: of the dataset's folder, or of one that holds it under its usual name.
        split: e.g. ``val``; None for the usual one.
        limit: take no more images than this.
    """

    name: str
    uri: str
    split: str | None = None
    shard_size: int = 100
    limit: int | None = None

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.name]

    def shards(self) -> list[Shard]:
        pairs = self.pairs()
        starts = range(0, len(pairs), self.shard_size)
        parts = [pairs[start : start + self.shard_size] for start in starts]
        return [
            Shard(f"{number:05d}", self.uri, _digest(part), start, start + len(part))
            for number, (start, part) in enumerate(zip(starts, parts, strict=True))
        ]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        fs, _ = locate(self.uri)
        for pair in self._of(shard):
            data = load_file(pair.key, fs, pair.image)
            yield data if isinstance(data, BadSample) else Sample(pair.key, data)

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        samples = self.read(shard) if content else (Sample(pair.key, b"") for pair in self._of(shard))
        return in_batches(_row(sample, content) for sample in samples)

    def names(self) -> tuple[str, ...]:
        return load_vocabulary(self.layout.vocabulary).names

    def labels(self, key: str) -> NDArray[np.uint16]:
        pair = _by_key(self.name, self.uri, self.split or self.layout.split).get(key)
        if pair is None:
            raise CorpusError(f"{self.name} dataset {self.uri!r} has no image {key!r}")
        with reported_as(CorpusError, f"ground truth of image {key!r} cannot be read"):
            fs, _ = locate(self.uri)
            return self.layout.decode(fs, pair.truth, key)

    def pairs(self) -> tuple[Pair, ...]:
        """Return the images with their ground truth.

        Raises:
            CorpusError: the folder has another layout; the text shows the one that was looked for.
        """
        every = _pairs(self.name, self.uri, self.split or self.layout.split)
        return every if self.limit is None else every[: self.limit]

    def _of(self, shard: Shard) -> tuple[Pair, ...]:
        pairs = self.pairs()[shard.first : shard.last]
        if _digest(pairs) != shard.fingerprint:
            raise CorpusError(f"{self.uri!r} has changed since the run was planned; start the run again")
        return pairs


def folder_dataset(name: str, uri: str, split: str | None, limit: int | None) -> FolderDataset:
    """Return a dataset whose folder is found, local paths made absolute.

    Raises:
        CorpusError: nothing serves such a URI.
    """
    with reported_as(CorpusError, f"dataset {uri!r} cannot be opened"):
        return FolderDataset(name, full_uri(*locate(uri)), split, limit=limit)


@lru_cache(maxsize=4)
def _pairs(name: str, uri: str, split: str) -> tuple[Pair, ...]:
    layout = LAYOUTS[name]
    with reported_as(CorpusError, f"dataset {uri!r} cannot be listed"):
        place = find_root(locate(uri), layout.inner, layout.proof, split)
        try:
            return tuple(layout.pairs(place, split))
        except NotThereError as err:
            raise missing(name, uri, str(err), layout.tree) from err


@lru_cache(maxsize=4)
def _by_key(name: str, uri: str, split: str) -> dict[str, Pair]:
    return {pair.key: pair for pair in _pairs(name, uri, split)}


def _digest(pairs: tuple[Pair, ...]) -> str:
    body = "\n".join(f"{pair.key}\t{pair.state}" for pair in pairs)
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _row(sample: Sample | BadSample, content: bool) -> CaptionRow | BadSample:
    if isinstance(sample, BadSample):
        return sample
    return CaptionRow(sample.key, (), *(measured(sample.image) if content else ()))
