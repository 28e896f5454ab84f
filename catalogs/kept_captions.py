"""The kept captions of a finished filter run: where they lie, how they are read, and how one is drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ..schemas.errors import CatalogError
from ..schemas.tables import CAPTIONS
from .files import run_of
from .parts import Part, read_part
from .storage import locate, reported_as
from .store import Catalog

COLUMNS = ("image_id", "key", "shard_id", "caption_index", "caption", "entities", "spans")
_SCHEMA = pa.schema([CAPTIONS.field(name) for name in COLUMNS])
_DIGEST_BYTES = 16


def caption_files(catalog: Catalog, version: int, run_id: str) -> tuple[str, ...]:
    """Return the URIs of a run's files of captions, one for each shard or, compacted, for several, sorted."""
    return tuple(file for file in catalog.files("captions", version) if run_of(file) == run_id)


def kept_groups(uri: str) -> Iterator[pa.Table]:
    """Yield the kept rows of a file of captions, one row group at a time, in stored order.

    The rows of an image are adjacent, as the filter writes them, but may continue in the next group.

    Returns:
        Tables of :data:`COLUMNS`; none is empty.

    Raises:
        CatalogError: the file is missing or damaged; the text names it.
    """
    with reported_as(CatalogError, f"cannot read {uri!r}, a file of the catalog"):
        fs, path = locate(uri)
        with fs.open(path, "rb") as opened:
            file = pq.ParquetFile(opened)
            for index in range(file.num_row_groups):
                group = file.read_row_group(index, columns=[*COLUMNS, "keep"])
                kept = group.filter(group["keep"]).select(COLUMNS).cast(_SCHEMA)
                if kept.num_rows:
                    yield kept


def kept_rows(part: Part) -> pa.Table:
    """Return the kept rows of a shard's captions, as `kept_groups` does.

    Raises:
        CatalogError: the file is missing or damaged; the text names it.
    """
    rows = read_part("captions", part, [*COLUMNS, "keep"])
    return rows.filter(rows["keep"]).select(COLUMNS)


def draw(count: int, *key: str | int) -> int:
    """Return a number in [0, count) that depends on ``key`` alone, uniform over keys.

    Raises:
        ValueError: there is nothing to draw from.
    """
    if count < 1:
        raise ValueError("there is nothing to draw from")
    digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") % count


def draw_caption(indices: Sequence[int], image_id: str, seed: int, epoch: int) -> int:
    """Return which of an image's kept captions an epoch shows: one of ``indices``, uniform.

    The order in which the indices are given does not matter.
    """
    ordered = sorted(indices)
    return ordered[draw(len(ordered), "caption", seed, epoch, image_id)] if len(ordered) > 1 else ordered[0]
