"""The catalog: Delta tables that a driver commits files to, and the pinned versions that readers see.

A catalog version is a Delta version of the table ``runs``. A row of ``runs`` holds the versions that the
other tables had when its run was published. Version N shows of a table the files at the highest of these
versions among the rows of ``runs`` at N, of runs whose row says ``finished``; so no version ever shows half a
run, and none changes once it is published.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from ..schemas.errors import CatalogError
from ..schemas.history import ADDED, TABLES_SINCE
from ..schemas.tables import PARTITION, SCHEMA_VERSION, TABLES
from .delta import FileTable
from .evolution import widen
from .files import FileAdd, read_files, run_of, write_rows
from .places import holds_catalog, refuse_foreign
from .storage import catalog_uri, join
from .tags import resolved

FINISHED = "finished"
RUNS_TABLE = "runs"
_JSON_COLUMNS = ("config", "weights", "libraries", "counts", "table_versions")


class Catalog:
    """A catalog in a local folder or at an object-store prefix; ``uri`` is absolute.

    Any number of processes may read, write files and commit at once.
    """

    def __init__(self, uri: str) -> None:
        self.uri = catalog_uri(uri)
        self._wide: set[str] = set()

    @classmethod
    def create_or_open(cls, uri: str) -> Self:
        """Open a catalog, or make an empty one where nothing lies yet.

        Raises:
            CatalogError: something else lies there, no permission, or a newer maskmill wrote the catalog.
        """
        catalog = cls(uri)
        if not holds_catalog(catalog.uri, catalog._table(RUNS_TABLE)):
            refuse_foreign(catalog.uri)
            # ``runs`` comes last: with it the catalog is there, and a creation cut short is simply repeated.
            for name in sorted(TABLES, key=lambda name: name == RUNS_TABLE):
                catalog._table(name).create()
        catalog._refuse_newer()
        return catalog

    @classmethod
    def open(cls, uri: str) -> Self:
        """Open an existing catalog.

        Raises:
            CatalogError: there is none, or a newer maskmill wrote it.
        """
        catalog = cls(uri)
        if not holds_catalog(catalog.uri, catalog._table(RUNS_TABLE)):
            raise CatalogError(f"no catalog at {uri!r}: give its folder, or make one with `maskmill label`")
        catalog._refuse_newer()
        return catalog

    def commit(self, adds: Sequence[FileAdd]) -> int:
        """Commit files, with one Delta commit per table, in the order in which tables first occur.

        Committing the same files again changes nothing. A catalog that an earlier maskmill made gains the
        table, or the table the columns, that are new since then; its files stay as they are.

        Returns:
            The number of files that were new.
        """
        by_table: dict[str, list[FileAdd]] = defaultdict(list)
        for add in adds:
            by_table[add.table].append(add)
        for table in by_table.keys() - self._wide:
            if table in TABLES_SINCE and not self._table(table).exists():
                self._table(table).create()
            widen(self._table(table).uri, TABLES[table])
            self._wide.add(table)
        return sum(self._table(table).append(group) for table, group in by_table.items())

    def committed(self, table: str, run_id: str) -> set[str]:
        """Return the names, without ``.parquet``, of the files that are committed for a run."""
        return {PurePosixPath(uri).stem for uri in self.run_files(table, run_id)}

    def run_files(self, table: str, run_id: str) -> list[str]:
        """Return the URIs of the files that are committed for a run, published or not, sorted."""
        return self._uris(table, None, {run_id})

    def publish(self, run: Mapping[str, object], run_id: str) -> int:
        """Write or replace the row of a run, once its files are committed; return the version that shows it.

        Args:
            run: a row of ``runs``; the columns ``table_versions`` and ``schema_version`` are filled in here.
        """
        versions = {name: self._table(name).version() for name in TABLES if name != RUNS_TABLE}
        filled_in = {"table_versions": json.dumps(versions, sort_keys=True), "schema_version": SCHEMA_VERSION}
        row = {**run, **filled_in}
        # The name must be new: files of earlier versions are never overwritten.
        digest = hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self._table(RUNS_TABLE).replace_run(write_rows(self.uri, RUNS_TABLE, run_id, digest, [row]))
        return self.version()

    def version(self) -> int:
        """Return the newest catalog version; versions count from 1.

        Raises:
            CatalogError: no run has been published yet.
        """
        version = self._table(RUNS_TABLE).version()
        if version < 1:
            raise CatalogError(f"nothing is published in {self.uri!r} yet; run `maskmill label` first")
        return version

    def run(self, run_id: str) -> dict[str, Any] | None:
        """Return the newest row of a run, with ``run_id`` and parsed JSON columns; None if there is none."""
        rows = self._rows(self.run_files(RUNS_TABLE, run_id))
        return rows[0] if rows else None

    def runs(self, version: int | str | None = None) -> list[dict[str, Any]]:
        """Return the rows of all runs at a version (default: the newest) as `run` does, oldest first."""
        return list(self.snapshot(version).rows)

    def newest_run(self, kind: str, version: int, run_id: str | None = None) -> dict[str, Any]:
        """Return the row of the finished run of a kind that a version shows; by default the last to finish.

        Raises:
            CatalogError: there is none.
        """
        runs = [r for r in self.runs(version) if r["kind"] == kind and r["status"] == FINISHED]
        found = [r for r in runs if run_id in (None, r[PARTITION])]
        if not found:
            known = ", ".join(r[PARTITION] for r in runs) or "none"
            raise CatalogError(
                f"version {version} of catalog {self.uri!r} has no finished {kind} run"
                f"{f' {run_id!r}' if run_id else ''}; it has: {known}"
            )
        return found[-1]

    def files(self, table: str, version: int | str | None = None) -> list[str]:
        """Return the URIs of the files that a catalog version (default: the newest) shows, sorted.

        Of ``runs`` these are all rows, of the other tables the files of finished runs.

        Raises:
            CatalogError: no such table or version.
        """
        return self._shown(table, self.snapshot(version))

    def all_files(self, version: int | str | None = None) -> dict[str, list[str]]:
        """Return what `files` does for every table, from one look at the catalog."""
        snapshot = self.snapshot(version)
        return {table: self._shown(table, snapshot) for table in TABLES}

    def schemas(self, version: int | str | None = None) -> dict[str, int]:
        """Return URI -> schema version of the files at a catalog version (default: the newest), of the tables
        that have gained columns.
        """
        snapshot = self.snapshot(version)
        found: dict[str, int] = {}
        for table in {name for tables in ADDED.values() for name in tables}:
            if pinned := snapshot.pinned(table):
                written = self._table(table).written_at(pinned)
                found |= {join(self.uri, table, path): number for path, number in written.items()}
        return found

    def resolve(self, version: int | str | None) -> int:
        """Return the catalog version that a number or a tag names; None is the newest.

        Raises:
            CatalogError: there is no such version or tag, or nothing is published yet.
        """
        return resolved(self.uri, version, self.version())

    def snapshot(self, version: int | str | None = None) -> Snapshot:
        """Return what pins a version, a number or a tag: its number and its rows of ``runs``."""
        number = self.resolve(version)
        rows = self._rows(self._uris(RUNS_TABLE, number))
        return Snapshot(number, tuple(sorted(rows, key=lambda row: (row["finished_at"], row[PARTITION]))))

    def _shown(self, table: str, snapshot: Snapshot) -> list[str]:
        if table == RUNS_TABLE:
            return self._uris(table, snapshot.version)
        pinned = snapshot.pinned(table)
        return self._uris(table, pinned, snapshot.finished()) if pinned else []

    def _uris(self, table: str, version: int | None, run_ids: set[str] | None = None) -> list[str]:
        paths = self._table(table).sizes(version)
        return [join(self.uri, table, p) for p in paths if run_ids is None or run_of(p) in run_ids]

    def _rows(self, uris: Sequence[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read_files(RUNS_TABLE, uris).to_pylist()
        return [row | {column: json.loads(row[column]) for column in _JSON_COLUMNS} for row in rows]

    def _table(self, name: str) -> FileTable:
        if name not in TABLES:
            raise CatalogError(f"no table {name!r}; there are {', '.join(TABLES)}")
        return FileTable(self.uri, name)

    def _refuse_newer(self) -> None:
        rows = read_files(RUNS_TABLE, self._uris(RUNS_TABLE, None), ["schema_version"])
        newest = max(rows["schema_version"].to_pylist(), default=SCHEMA_VERSION)
        if newest > SCHEMA_VERSION:
            raise CatalogError(
                f"catalog {self.uri!r} has schema version {newest}, this maskmill knows {SCHEMA_VERSION}; "
                "install a newer maskmill"
            )


@dataclass(frozen=True)
class Snapshot:
    """A catalog version: its number, and its rows of ``runs`` as `Catalog.run` returns them, oldest first."""

    version: int
    rows: tuple[dict[str, Any], ...]

    def pinned(self, table: str) -> int:
        """Return which version of its own a table has in it; 0 is empty."""
        if table == RUNS_TABLE:
            return self.version
        return max((int(row["table_versions"].get(table, 0)) for row in self.rows), default=0)

    def finished(self) -> set[str]:
        """Return the ids of the runs whose files it shows."""
        return {row[PARTITION] for row in self.rows if row["status"] == FINISHED}
