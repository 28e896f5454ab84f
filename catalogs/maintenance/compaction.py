"""Many small files of finished runs into few, without changing what any version shows.

Safe at every point, since each step leaves a whole catalog behind: a merged file that is written but not
committed does not exist; a commit puts it in the place of its sources at once, in a new version of its table,
while published versions pin earlier ones; and what one table has gained before another holds the same rows.
The sources stay in the store until `vacuum` finds no version that needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ...schemas.errors import CatalogError
from ...schemas.tables import PARTITION, TABLES
from ..delta import FileTable
from ..files import read_files, run_of
from ..store import FINISHED, RUNS_TABLE, Catalog
from .log import LoggedFile, files_at, read_log
from .merging import Merged, merged

TARGET_BYTES = 1 << 26
_DATA_TABLES = tuple(name for name in TABLES if name != RUNS_TABLE)


@dataclass(frozen=True)
class CompactedTable:
    """What became of the small files of a run in a table."""

    run_id: str
    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class Compaction:
    """What `compact` did.

    Args:
        version: the newest catalog version, which shows the merged files.
        tables: one entry for each run and table where files were merged.
    """

    catalog: str
    version: int
    tables: tuple[CompactedTable, ...]

    def fields(self) -> dict[str, Any]:
        """Return name -> value of the whole: files that became how many, and bytes."""
        names = ("files_before", "files_after", "bytes_before", "bytes_after")
        totals = {name: sum(getattr(table, name) for table in self.tables) for name in names}
        return {"catalog": self.catalog, "version": self.version, **totals}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each run and table."""
        return [dict(vars(table)) for table in self.tables]


def compact(uri: str, run_id: str | None = None, target_bytes: int = TARGET_BYTES) -> Compaction:
    """Merge neighbouring files below half the wanted size, of finished runs that the newest version shows.

    Rows keep their order. Other runs may be at work meanwhile. The same call again changes nothing, and
    completes one that was cut short.

    Args:
        run_id: only this run.
        target_bytes: a merged file reaches this size, unless it is the last.

    Raises:
        CatalogError: no catalog, no such finished run, or a file is missing or damaged.
    """
    if target_bytes < 1:
        raise CatalogError(f"a file cannot have {target_bytes} bytes: give a size of at least 1")
    catalog = Catalog.open(uri)
    finished = [row[PARTITION] for row in catalog.runs() if row["status"] == FINISHED]
    runs = finished if run_id is None else [run_id]
    if run_id is not None and run_id not in finished:
        raise CatalogError(
            f"catalog {catalog.uri!r} has no finished run {run_id!r}; it has: {', '.join(finished) or 'none'}"
        )
    done = tuple(
        change for table in _DATA_TABLES for change in _compact_table(catalog, table, runs, target_bytes)
    )
    _publish(catalog, runs)
    return Compaction(catalog.uri, catalog.version(), done)


def _compact_table(
    catalog: Catalog, table: str, runs: list[str], target_bytes: int
) -> Iterator[CompactedTable]:
    log = read_log(catalog.uri, table)
    files = files_at(log, len(log) - 1)
    for run_id, group in groupby(files.values(), lambda file: run_of(file.path)):
        own = list(group)
        if run_id not in runs or len(own) < 2:
            continue
        made = [
            one
            for small in _neighbours(own, target_bytes)
            for one in _swapped(catalog, table, small, target_bytes)
        ]
        if made:
            before = sum(files[path].size for one in made for path in one.sources)
            number = sum(len(one.sources) for one in made)
            after = sum(one.add.size for one in made)
            yield CompactedTable(run_id, table, number, len(made), before, after)


def _neighbours(files: list[LoggedFile], target_bytes: int) -> list[list[LoggedFile]]:
    """Return runs of small files without a large one between them."""
    groups = groupby(files, lambda file: 2 * file.size < target_bytes)
    return [found for small, group in groups if small and len(found := list(group)) > 1]


def _swapped(catalog: Catalog, table: str, small: list[LoggedFile], target_bytes: int) -> Iterator[Merged]:
    for one in merged(catalog.uri, table, small, target_bytes):
        if FileTable(catalog.uri, table).swap(one.sources, one.add):
            yield one


def _publish(catalog: Catalog, runs: list[str]) -> None:
    """Publish a run again if the newest version does not show the files that its tables have now."""
    snapshot = catalog.snapshot()
    shown = catalog.all_files(snapshot.version)
    for run_id in runs:
        now = {uri for table in _DATA_TABLES for uri in catalog.run_files(table, run_id)}
        if run_id in snapshot.finished() and not now <= {uri for uris in shown.values() for uri in uris}:
            # One row is enough: it pins the versions of all tables.
            (row,) = read_files(RUNS_TABLE, catalog.run_files(RUNS_TABLE, run_id)).to_pylist()
            catalog.publish({name: value for name, value in row.items() if name != PARTITION}, run_id)
            return
