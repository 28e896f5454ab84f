"""What a catalog version holds: rows, files and bytes of every table, its runs and its tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...schemas.tables import SCHEMA_VERSION
from ..store import FINISHED, Catalog
from ..tags import read_tags
from .log import LoggedFile
from .state import read_logs, shown


@dataclass(frozen=True)
class TableInfo:
    """What a catalog version shows of a table; ``bytes`` are those of its Parquet files."""

    table: str
    rows: int
    files: int
    bytes: int


@dataclass(frozen=True)
class CatalogInfo:
    """A catalog version.

    Args:
        newest: the newest version of the catalog.
        tags: names of this version.
        schema_version: the highest among its runs.
        runs: finished and other runs; ``finished`` of them show their files.
    """

    catalog: str
    version: int
    newest: int
    tags: tuple[str, ...]
    schema_version: int
    runs: int
    finished: int
    tables: tuple[TableInfo, ...]

    def fields(self) -> dict[str, Any]:
        """Return name -> value of all but the tables."""
        return {name: value for name, value in vars(self).items() if name != "tables"}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each table."""
        return [dict(vars(table)) for table in self.tables]


def info(uri: str, version: int | str | None = None) -> CatalogInfo:
    """Measure a catalog version, from the logs alone.

    Args:
        version: a version or a tag; default: the newest.

    Raises:
        CatalogError: no catalog, nothing published, or no such version.
    """
    catalog = Catalog.open(uri)
    snapshot = catalog.snapshot(version)
    files = shown(read_logs(catalog), snapshot)
    return CatalogInfo(
        catalog=catalog.uri,
        version=snapshot.version,
        newest=catalog.version(),
        tags=tuple(name for name, tagged in read_tags(catalog.uri).items() if tagged == snapshot.version),
        schema_version=max((row["schema_version"] for row in snapshot.rows), default=SCHEMA_VERSION),
        runs=len(snapshot.rows),
        finished=sum(row["status"] == FINISHED for row in snapshot.rows),
        tables=tuple(_table(name, found) for name, found in files.items()),
    )


def _table(name: str, files: Mapping[str, LoggedFile]) -> TableInfo:
    rows, size = sum(file.rows for file in files.values()), sum(file.size for file in files.values())
    return TableInfo(name, rows, len(files), size)
