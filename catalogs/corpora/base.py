"""What every corpus reader offers, and what they share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

import pyarrow as pa

from ...schemas.samples import BadSample, Sample, Shard

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CORPUS_SUFFIXES = (".tar", ".json", ".parquet", ".pq", ".csv", ".tsv")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class CorpusReader(Protocol):
    """Captioned images in shards. Readers can be pickled, and open nothing before they are asked to.

    ``name`` is the first half of a sample's identity, ``uri`` where the corpus lies (local paths absolute).
    """

    @property
    def name(self) -> str: ...

    @property
    def uri(self) -> str: ...

    def shards(self) -> list[Shard]:
        """List the shards in an order that depends on their names alone.

        Raises:
            CorpusError: there is no such corpus, or nothing in it.
        """
        ...

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        """Yield the samples of a shard in stored order; what cannot be read is yielded as BadSample.

        Raises:
            CorpusError: the shard vanished or may not be read.
            OSError: the store failed while reading; trying the shard again may help.
        """
        ...

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        """Yield the same samples without their images, in batches of the schema ``CAPTION_BATCH``.

        Args:
            content: whether digests and sizes are wanted, even where image files must be read for them; what
                the corpus states itself is given either way.

        Raises:
            CorpusError, OSError: as :meth:`read`.
        """
        ...


def corpus_fingerprint(shards: Sequence[Shard]) -> str:
    """Return 16 hex digits over the shards' ids, ranges and fingerprints; where they lie does not count."""
    body = [(s.shard_id, s.fingerprint, s.first, s.last) for s in shards]
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16]


def corpus_name(path: str) -> str:
    """Return the last part of a path that is no pattern, without the suffix of a corpus file."""
    parts = [part for part in path.split("/") if part and not has_pattern(part)]
    name = parts[-1] if parts else "corpus"
    suffix = PurePosixPath(name).suffix.lower()
    return name[: -len(suffix)] if suffix in CORPUS_SUFFIXES else name


def has_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def safe_shard_id(name: str) -> str:
    """Return a shard id for any file name: itself where it can be one, else what is left of it and a hash."""
    if _SAFE.fullmatch(name):
        return name
    return f"shard-{_UNSAFE.sub('_', name)[-80:]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def captions_in(body: dict[str, Any]) -> tuple[str | None, ...]:
    """Return the ``captions`` (a list or one text) or the ``caption`` of a sample's metadata, null as None.

    Raises:
        ValueError: they are neither text nor null.
    """
    given = body.get("captions") or body.get("caption", ())
    captions = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not all(caption is None or isinstance(caption, str) for caption in captions):
        raise ValueError(f"captions must be text or null, not {str(given)[:80]}")
    return captions
