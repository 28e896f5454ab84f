"""Rows of a DuckDB result by column name."""

from __future__ import annotations

from typing import Any

import duckdb


def records(db: duckdb.DuckDBPyConnection, statement: str, **given: object) -> list[dict[str, Any]]:
    """Run a statement with named parameters and return one dictionary per row."""
    result = db.execute(statement, given)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
