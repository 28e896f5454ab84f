"""Columns that a table gains after it was made, without a file being rewritten."""

from __future__ import annotations

import random
import time

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError

from ..schemas.errors import CatalogError
from .delta import storage_options
from .storage import reported_as

_TRIES = 30


def widen(uri: str, schema: pa.Schema) -> list[str]:
    """Add to a Delta table the columns of a schema that it lacks, in one commit; none lacking is no commit.

    Commits name files only, so that files with new columns could be added all the same; but other readers of
    Delta tables go by the schema in the log.

    Args:
        uri: the table, with its catalog's scheme.
        schema: of the table as it is now; what is new must be nullable.

    Returns:
        The names of the columns that were added here, in the schema's order.

    Raises:
        CatalogError: the table is missing, the store refuses, or a new column is not nullable.
    """
    with reported_as(CatalogError, f"cannot add columns to {uri!r}"):
        attempt = 0
        while True:
            table = DeltaTable(uri, storage_options=storage_options(uri))
            lacking = _lacking(table, schema)
            if not lacking:
                return []
            try:
                table.alter.add_columns(Schema.from_arrow(pa.schema(lacking)).fields)
                return [field.name for field in lacking]
            except CommitFailedError:
                # Another writer was faster, perhaps with these very columns: look again.
                attempt += 1
                if attempt == _TRIES:
                    raise
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))  # noqa: S311 - spreads writers


def _lacking(table: DeltaTable, schema: pa.Schema) -> list[pa.Field]:
    there = {field.name for field in table.schema().fields}
    lacking = [field for field in schema if field.name not in there]
    fixed = [field.name for field in lacking if not field.nullable]
    if fixed:
        raise CatalogError(f"table {table.table_uri!r} has no column {fixed[0]!r}, and earlier rows need one")
    return lacking
