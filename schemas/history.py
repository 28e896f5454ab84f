"""What each schema version added to the catalog's tables, for files and catalogs that were written before."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from .tables import TABLES

# Schema version -> table -> the columns that it gained then. One of them is a number or a text: the log has
# statistics of these, which tell the files that hold the columns from those that were written before.
ADDED: dict[int, dict[str, tuple[str, ...]]] = {
    2: {"images": ("annotator",), "masks": ("entropy",)},
    3: {"evaluations": ("dataset", "mode", "weights", "details", "metrics")},
}
# Table -> the schema version that brought it; all others were there from the first.
TABLES_SINCE = {"prototypes": 3, "prototype_decisions": 3}


def schema_at(table: str, version: int) -> pa.Schema:
    """Return the columns that a table had at a schema version.

    Raises:
        KeyError: there was no such table then.
    """
    if TABLES_SINCE.get(table, 1) > version:
        raise KeyError(f"schema version {version} has no table {table!r}")
    later = {name for since, tables in ADDED.items() if since > version for name in tables.get(table, ())}
    return pa.schema([field for field in TABLES[table] if field.name not in later])


def written_at(table: str, columns: Collection[str]) -> int:
    """Return the schema version of a file of a table: the highest that added a column which the file holds.

    Args:
        columns: of the file, at least those of numbers and texts.
    """
    known = {since for since, tables in ADDED.items() if not set(tables.get(table, ())).isdisjoint(columns)}
    return max(known, default=TABLES_SINCE.get(table, 1))
