"""A corpus of plain pictures in one shard, which remembers how far it was read."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from PIL import Image

from maskmill.schemas.samples import BadSample, Sample, Shard


def png(value: int, width: int = 10, height: int = 10) -> bytes:
    """Return a grey picture as a PNG file."""
    body = io.BytesIO()
    Image.fromarray(np.full((height, width), value, np.uint8)).save(body, "PNG")
    return body.getvalue()


@dataclass
class OneShard:
    keys: Sequence[str]
    shard_id: str = "00000"
    name: str = "demo"
    uri: str = "data/train"
    picture: bytes = field(default_factory=lambda: png(100))
    seen: list[str] = field(default_factory=list)

    def shards(self) -> list[Shard]:
        return [Shard(self.shard_id, self.uri, "f"), Shard("unrelated", "nowhere", "f")]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        assert shard.shard_id == self.shard_id
        for key in self.keys:
            self.seen.append(key)
            yield Sample(key, self.picture)

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        """Pictures alone: nobody said anything about them."""
        yield from ()
