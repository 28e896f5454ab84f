"""A corpus of captions in memory, and what a filter run over it says and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskmill.catalogs.corpora.batches import CaptionRow, in_batches
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, PoolConfig
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.samples import BadSample, Sample, Shard
from maskmill.tasks import caption_filter
from maskmill.tasks.runs import RunSummary

INLINE = PoolConfig(backend="inline")
CORPUS = CorpusConfig(uri="memory")


@dataclass
class MemoryCorpus:
    """Captions by shard, of images of 300 x 200 pixels.

    ``broken`` shards raise when they are read, ``reads`` counts what was read, ``digests`` are by key.
    """

    shard_captions: list[list[Sequence[str | None]]]
    bad: list[BadSample] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    name: str = "memory"
    uri: str = "memory"

    def shards(self) -> list[Shard]:
        return [Shard(f"{i:05d}", "memory", str(c)) for i, c in enumerate(self.shard_captions)]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        raise AssertionError("the filter needs no images")

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        return in_batches(self._rows(shard, content))

    def _rows(self, shard: Shard, content: bool) -> Iterator[CaptionRow | BadSample]:
        self.reads.append(shard.shard_id)
        if shard.shard_id in self.broken:
            raise CorpusError(f"{shard.shard_id} is gone")
        if shard.shard_id == "00000":
            yield from self.bad
        for i, captions in enumerate(self.shard_captions[int(shard.shard_id)]):
            key = f"{shard.shard_id}{i:03d}"
            yield CaptionRow(key, tuple(captions), self.digests.get(key) if content else None, 300, 200)


def open_in_memory(monkeypatch: pytest.MonkeyPatch) -> MemoryCorpus:
    """Make two shards of captions and let the filter find them wherever it looks."""
    made = MemoryCorpus(
        [
            [("A cat", "view of a mug"), ("nothing here",), ()],
            [("two kittens and a man",), ("A dog", "a woman", "a dog")],
        ]
    )
    monkeypatch.setattr(caption_filter, "open_corpus", lambda config: made)
    return made


def rows(catalog: str, table: str, run: RunSummary) -> list[dict[str, Any]]:
    files = Catalog.open(catalog).run_files(table, run.run_id)
    return [row for uri in sorted(files) for row in pq.read_table(uri).to_pylist()]
