"""What a corpus is made of: shards of samples, and the identity of a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from .errors import ErrorReason

# Samples without their images, one row each: what the caption filter reads. ``digest`` is equal for two
# samples exactly where their image files are, and null where that is not known; sizes are in pixels.
CAPTION_BATCH = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("captions", pa.list_(pa.string()), nullable=False),
        pa.field("digest", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
    ]
)


def image_id(corpus: str, key: str) -> str:
    """Return the identity of a sample: 32 hex digits of (corpus, key), never of a position."""
    return hashlib.blake2b(f"{corpus}\0{key}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Shard:
    """One unit of work of a corpus.

    Args:
        shard_id: name of the shard within the corpus, unique and safe in a file name, e.g. ``00012``.
        uri: where its samples lie (a tar, a JSON file, a folder).
        fingerprint: changes when the content changes (size and modification time, etag or a hash).
        first, last: half-open range for readers that cut one file into several shards, of samples or, in
            delimited text, of bytes.
    """

    shard_id: str
    uri: str
    fingerprint: str
    first: int = 0
    last: int | None = None


@dataclass(frozen=True)
class Sample:
    """One captioned image as it lies in the corpus; the bytes are not decoded yet."""

    key: str
    image: bytes
    captions: tuple[str | None, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BadSample:
    """What a reader yields in place of a sample that it cannot read; becomes an ``errors`` row.

    ``key`` is None where the fault concerns the shard and not one sample (a tar cut short).
    """

    key: str | None
    reason: ErrorReason
    detail: str
