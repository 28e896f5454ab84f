"""What a catalog version shows, file by file, and which files of a catalog lie in its store."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...schemas.errors import CatalogError
from ...schemas.tables import PARTITION, TABLES
from ..files import read_files, run_of
from ..storage import join, locate, reported_as
from ..store import RUNS_TABLE, Catalog, Snapshot
from .log import Commit, LoggedFile, files_at, read_log

_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")
_READERS = 16


@dataclass(frozen=True)
class StoredFile:
    """A file that lies in a run's folder of a table, whether the catalog knows it or not.

    Args:
        path: relative to the catalog, e.g. ``masks/run_id=label-1/00012.parquet``.
        modified: seconds since 1970.
    """

    path: str
    size: int
    modified: float


def read_logs(catalog: Catalog) -> dict[str, list[Commit]]:
    """Return table -> its log."""
    return {table: read_log(catalog.uri, table) for table in TABLES}


def rows_by_commit(catalog: Catalog, log: Sequence[Commit]) -> list[dict[str, Any] | None]:
    """Return the row of ``runs``, with ``run_id``, that each commit of this table brought, if any."""

    def read(commit: Commit) -> dict[str, Any] | None:
        uris = [join(catalog.uri, RUNS_TABLE, file.path) for file in commit.added]
        return next(iter(read_files(RUNS_TABLE, uris).to_pylist()), None)

    with ThreadPoolExecutor(_READERS) as threads:
        return list(threads.map(read, log))


def snapshots(catalog: Catalog, log: Sequence[Commit]) -> dict[int, Snapshot]:
    """Return version -> what `Catalog.snapshot` says of it, of all versions, reading every row once.

    Args:
        log: of ``runs``.
    """
    rows: dict[str, dict[str, Any]] = {}
    found: dict[int, Snapshot] = {}
    for commit, row in zip(log, rows_by_commit(catalog, log), strict=True):
        if row is not None:
            rows[row[PARTITION]] = row | {"table_versions": json.loads(row["table_versions"])}
        found[commit.version] = Snapshot(commit.version, tuple(rows.values()))
    found.pop(0)
    return found


def shown(logs: Mapping[str, Sequence[Commit]], snapshot: Snapshot) -> dict[str, dict[str, LoggedFile]]:
    """Return table -> path -> file of what a catalog version shows, as `Catalog.all_files` does."""
    finished = snapshot.finished()
    return {
        table: {
            path: file
            for path, file in files_at(log, snapshot.pinned(table)).items()
            if table == RUNS_TABLE or run_of(path) in finished
        }
        for table, log in logs.items()
    }


def stored_files(catalog: Catalog, table: str) -> dict[str, StoredFile]:
    """Return path relative to the table -> file of all that lies in its runs' folders.

    Raises:
        CatalogError: the store refuses.
    """
    uri = join(catalog.uri, table)
    with reported_as(CatalogError, f"cannot list {uri!r}"):
        fs, root = locate(uri)
        fs.invalidate_cache()
        found = fs.find(root, detail=True) if fs.isdir(root) else {}
    inside = {path[len(root) :].strip("/"): details for path, details in found.items()}
    return {
        path: StoredFile(f"{table}/{path}", int(details["size"]), modified(details))
        for path, details in inside.items()
        if path.count("/") == 1 and not path.startswith("_delta_log/")
    }


def modified(details: Mapping[str, Any]) -> float:
    """Return when a file was written, in seconds since 1970; a store that does not say has it written now."""
    stamp = next((details[name] for name in _MODIFIED if details.get(name) is not None), time.time())
    if isinstance(stamp, str):
        stamp = datetime.fromisoformat(stamp)
    return stamp.timestamp() if isinstance(stamp, datetime) else float(stamp)
