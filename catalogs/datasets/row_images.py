"""Images of corpora without places of their own: read a stretch of a shard at a time, as the reader does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow.parquet as pq

from ...schemas.errors import CorpusError
from ...schemas.samples import BadSample, Sample, Shard
from ..corpora import CorpusReader, ParquetCorpus
from ..storage import locate, reported_as
from .held import Held

Images = dict[str, bytes]


class RowImages:
    """Some images of a shard, which is read stretch by stretch: a row group of Parquet, else all of it.

    Args:
        stretches: ranges of the shard.
        where: of each image, which stretch has it; None where none has.
        held: stretches in memory, shared by all shards of a dataset.
    """

    def __init__(
        self, reader: CorpusReader, stretches: Sequence[Shard], keys: Sequence[str], held: Held[Images]
    ) -> None:
        self._reader = reader
        self._stretches = stretches
        self._keys = keys
        self._where = _where(reader, stretches, keys)
        self._held = held

    @classmethod
    def of(cls, reader: CorpusReader, shard: Shard, keys: Sequence[str], held: Held[Images]) -> RowImages:
        """Find out in which stretches the images lie.

        Raises:
            CorpusError: the shard vanished or may not be read.
        """
        stretches = _row_groups(shard) if isinstance(reader, ParquetCorpus) else [shard]
        return cls(reader, stretches, keys, held)

    def load(self, row: int) -> bytes | None:
        place, key = self._where[row], self._keys[row]
        if place is None:
            return None
        stretch = self._stretches[place]
        name = f"{stretch.shard_id}/{stretch.first}"
        return self._held.get(name, lambda: self._read(stretch)).get(key)

    def _read(self, stretch: Shard) -> tuple[Images, int]:
        with reported_as(CorpusError, f"shard {stretch.uri!r} of the corpus cannot be read"):
            samples = [s for s in self._reader.read(stretch) if isinstance(s, Sample)]
        images: Images = {}
        for sample in samples:
            images.setdefault(sample.key, sample.image)
        return images, sum(map(len, images.values()))


def _row_groups(shard: Shard) -> list[Shard]:
    with reported_as(CorpusError, f"shard {shard.uri!r} of the corpus cannot be read"):
        fs, path = locate(shard.uri)
        with fs.open(path, "rb") as file:
            metadata = pq.read_metadata(file)
    groups, start = [], 0
    for group in range(metadata.num_row_groups):
        end = start + metadata.row_group(group).num_rows
        if start >= shard.first and (shard.last is None or end <= shard.last):
            groups.append(replace(shard, first=start, last=end))
        start = end
    return groups


def _where(reader: CorpusReader, stretches: Sequence[Shard], keys: Sequence[str]) -> list[int | None]:
    if len(stretches) == 1:
        return [0] * len(keys)
    places: dict[str, int] = {}
    for number, stretch in enumerate(stretches):
        for batch in reader.captions(stretch, content=False):
            if not isinstance(batch, BadSample):
                for key in batch["key"].to_pylist():
                    places.setdefault(key, number)
    return [places.get(key) for key in keys]
