"""Samples that stand in a corpus more than once: under one key, or with files equal byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
from numpy.typing import NDArray

from ..catalogs.storage import is_local, locate, reported_as
from ..schemas.errors import CatalogError
from .staging import Staging

_MEMORY = "512MB"  # beyond it DuckDB goes to the disk

# Equal values have equal hashes: the first pass holds 8 bytes per value, the second looks only at suspects.
_SUSPECTS = """
CREATE OR REPLACE TEMP TABLE suspects AS
SELECT hash({column}) AS h FROM {source} WHERE {column} IS NOT NULL GROUP BY h HAVING count(*) > 1
"""
_REPEATS = """
CREATE TEMP TABLE repeated_{column} AS SELECT number, row FROM (
    SELECT number, row, row_number() OVER (PARTITION BY {column} ORDER BY number, row) AS nth
    FROM {source} WHERE {column} IS NOT NULL AND hash({column}) IN (FROM suspects)
) WHERE nth > 1
"""
# A sample that goes because its key was taken must not be the one for whose sake its equals go.
_OTHERS = "CREATE TEMP VIEW others AS FROM samples ANTI JOIN repeated_key USING (number, row)"
_NONE: NDArray[np.int64] = np.empty(0, np.int64)


@dataclass(frozen=True)
class Repeats:
    """Rows of one shard that repeat an earlier sample of the corpus, in order.

    Args:
        keys: the key was taken before.
        images: the image file was there before, under another key; no row is in both.
    """

    keys: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    images: NDArray[np.int64] = field(default_factory=lambda: _NONE)


def find_repeats(staging: Staging, shard_ids: Sequence[str], images: bool = True) -> dict[str, Repeats]:
    """Find the repeats of a corpus over all its staged shards (CLIPpy, appendix C: "exact-byte").

    Of equal samples the first in the order of ``shard_ids`` and rows stays. Memory is bounded: DuckDB spills
    to a temporary folder beyond half a gigabyte.

    Args:
        shard_ids: the staged shards, in the corpus's order.
        images: whether to look for equal images too, and not for equal keys alone.

    Returns:
        shard id -> its repeats; shards without any are left out.

    Raises:
        CatalogError: a staged file is gone or damaged.
    """
    if not shard_ids:
        return {}
    with (
        reported_as(CatalogError, "cannot look for repeated samples"),
        duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as db,
    ):
        db.execute(f"SET memory_limit = '{_MEMORY}'")
        _view(db, [staging.uri(shard_id) for shard_id in shard_ids])
        keys = _found(db, "key", "samples", shard_ids)
        db.execute(_OTHERS)
        equal = _found(db, "digest", "others", shard_ids) if images else {}
    return {
        shard_id: Repeats(keys.get(shard_id, _NONE), equal.get(shard_id, _NONE))
        for shard_id in {*keys, *equal}
    }


def _view(db: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> None:
    fs, _ = locate(uris[0])
    if not is_local(fs):
        db.register_filesystem(fs)
    db.execute(
        "CREATE TEMP TABLE files AS SELECT unnest($uris) AS uri, unnest(range(len($uris))) AS number",
        {"uris": list(uris)},
    )
    listed = ", ".join("'" + uri.replace("'", "''") + "'" for uri in uris)
    db.execute(
        "CREATE TEMP VIEW samples AS SELECT number, file_row_number AS row, key, digest FROM "  # noqa: S608
        f"read_parquet([{listed}], filename = true, file_row_number = true, hive_partitioning = false) "
        "JOIN files ON uri = filename"
    )


def _found(
    db: duckdb.DuckDBPyConnection, column: str, source: str, shard_ids: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    db.execute(_SUSPECTS.format(column=column, source=source))
    db.execute(_REPEATS.format(column=column, source=source))
    found = db.execute(f"FROM repeated_{column} ORDER BY number, row").fetchnumpy()
    numbers, rows = np.asarray(found["number"], np.int64), np.asarray(found["row"], np.int64)
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    parts = np.split(rows, starts[1:]) if len(starts) else []
    return {shard_ids[numbers[start]]: part for start, part in zip(starts, parts, strict=True)}
