"""Whether the rows of images and masks are there once, and belong together: checks across files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from ...schemas.tables import PARTITION
from .findings import Finding
from .scratch import rows_of, scratch

KEYS: Mapping[str, tuple[str, ...]] = {"images": ("image_id",), "masks": ("image_id", "label")}

# Hashes of 8 bytes take little room. Rows that share one are counted again by their keys.
_DOUBLED = """
WITH shared AS (SELECT run_id, hash({keys}) AS shared_hash FROM {table} GROUP BY ALL HAVING count(*) > 1)
SELECT {table}.run_id, {keys}, count(*) AS number
FROM {table} SEMI JOIN shared ON {table}.run_id = shared.run_id AND hash({keys}) = shared_hash
GROUP BY {table}.run_id, {keys} HAVING count(*) > 1 ORDER BY ALL
"""
_STRAYS = """
SELECT run_id, image_id, count(*) AS number FROM masks ANTI JOIN images USING (run_id, image_id)
WHERE run_id NOT IN (SELECT unnest($unknown)) GROUP BY ALL ORDER BY ALL
"""


def key_findings(uri: str, files: Mapping[str, Sequence[str]], unknown: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for each image or mask that its run has twice, and each image that only has masks.

    Args:
        uri: of the catalog.
        files: table -> URIs of the files of ``images`` and ``masks`` that are whole.
        unknown: runs of whose images not all files are whole, so that nobody can tell which masks stray.

    Raises:
        CatalogError: a file cannot be read.
    """
    with scratch(uri) as connection:
        for table, keys in KEYS.items():
            connection.execute(f"CREATE VIEW {table} AS {rows_of(files.get(table, ()), keys)}")
        for table, keys in KEYS.items():
            doubled = connection.execute(_DOUBLED.format(table=table, keys=", ".join(keys)))
            for row in _rows(doubled):
                number = row.pop("number")
                yield Finding(f"duplicate_{table[:-1]}", _place(table, row), f"{number} rows")
        for row in _rows(connection.execute(_STRAYS, {"unknown": list(unknown)})):
            number = row.pop("number")
            detail = f"{number} masks and no row of images"
            yield Finding("mask_without_image", _place("masks", row), detail)


def _rows(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _place(table: str, row: dict[str, Any]) -> str:
    run_id = row.pop("run_id")
    return " ".join([f"{table}/{PARTITION}={run_id}", *(f"{name}={value}" for name, value in row.items())])
