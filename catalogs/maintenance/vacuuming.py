"""Deleting files that nothing needs: merged since, left by a run that died, staged for one that ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...schemas.errors import CatalogError
from ...schemas.tables import TABLES
from ..files import run_of
from ..storage import is_local, join, locate, reported_as
from ..store import RUNS_TABLE, Catalog, Snapshot
from ..tags import read_tags
from .log import Commit, files_at
from .state import StoredFile, modified, read_logs, shown, snapshots, stored_files

KEEP_DAYS = 7.0
_DAY = 86_400
_STAGING = ".staging"
_DELETERS = 16


@dataclass(frozen=True)
class Removal:
    """A file that nothing needs.

    Args:
        path: relative to the catalog.
        reason: ``superseded`` (only versions that are given up show it), ``never_committed`` or ``staged``.
    """

    path: str
    reason: str
    bytes: int


@dataclass(frozen=True)
class Vacuuming:
    """What `vacuum` deleted or, in a dry run, would delete.

    Args:
        kept: versions that stay readable.
        given_up: versions that lose files by this.
    """

    catalog: str
    dry_run: bool
    kept: tuple[int, ...]
    given_up: tuple[int, ...]
    removed: tuple[Removal, ...]

    @property
    def bytes(self) -> int:
        return sum(removal.bytes for removal in self.removed)

    def fields(self) -> dict[str, Any]:
        """Return name -> value of the whole; ``removed`` is the number of files."""
        return {**vars(self), "removed": len(self.removed), "bytes": self.bytes}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each file."""
        return [dict(vars(removal)) for removal in self.removed]


def vacuum(uri: str, keep_days: float = KEEP_DAYS, dry_run: bool = True) -> Vacuuming:
    """Delete what no kept version needs and no run at work can have written.

    Kept are the newest version, those with a tag, and all that were the newest at some moment of the last
    ``keep_days``: what a trainer took for the newest then, it may still read.

    A file stays if it is younger than that, whoever wrote it, and as long as its table names it: so what
    unfinished and failed runs have committed stays for their next call. The table ``runs`` is never touched.
    Runs may be at work meanwhile, if none takes longer than ``keep_days`` from writing a file to its commit.

    Args:
        dry_run: delete nothing.

    Raises:
        CatalogError: no catalog, nothing published, ``keep_days`` below 0, or the store refuses.
    """
    if not keep_days >= 0:  # nor is what is no number
        raise CatalogError(f"{keep_days} days cannot be kept: give 0 or more")
    catalog = Catalog.open(uri)
    oldest = time.time() - keep_days * _DAY
    # Listed before the logs are read: what is committed in between is seen to be needed.
    stored = {table: stored_files(catalog, table) for table in TABLES if table != RUNS_TABLE}
    staged = _staged(catalog, oldest)
    logs = read_logs(catalog)
    versions = snapshots(catalog, logs[RUNS_TABLE])
    kept = _kept(catalog, logs[RUNS_TABLE], oldest)
    needed = _needed(logs, [versions[version] for version in kept])
    removed = [*_unneeded(stored, needed, logs, oldest), *staged]
    if not dry_run:
        removed = _delete(catalog, removed, oldest)
    older = [snapshot for version, snapshot in versions.items() if version not in kept]
    given_up = _given_up(logs, older, {removal.path for removal in removed})
    return Vacuuming(catalog.uri, dry_run, kept, given_up, tuple(removed))


def _kept(catalog: Catalog, log: Sequence[Commit], oldest: float) -> tuple[int, ...]:
    """Return the versions that tags name and those that were the newest at some moment after ``oldest``."""
    ends = [commit.at.timestamp() for commit in log[2:]]
    recent = {version for version, end in enumerate(ends, 1) if end >= oldest}
    return tuple(sorted(recent | {len(log) - 1} | set(read_tags(catalog.uri).values()) - {0}))


def _needed(logs: Mapping[str, Sequence[Commit]], kept: Iterable[Snapshot]) -> dict[str, set[str]]:
    """Return table -> paths that a kept version shows or that the table has now."""
    needed = {table: set(files_at(log, len(log) - 1)) for table, log in logs.items()}
    for snapshot in kept:
        for table, files in shown(logs, snapshot).items():
            needed[table] |= files.keys()
    return needed


def _unneeded(
    stored: Mapping[str, Mapping[str, StoredFile]],
    needed: Mapping[str, set[str]],
    logs: Mapping[str, Sequence[Commit]],
    oldest: float,
) -> Iterator[Removal]:
    for table, files in stored.items():
        logged = {file.path for commit in logs[table] for file in commit.added}
        for path in sorted(files.keys() - needed[table]):
            if files[path].modified < oldest:
                reason = "superseded" if path in logged else "never_committed"
                yield Removal(files[path].path, reason, files[path].size)


def _staged(catalog: Catalog, oldest: float) -> list[Removal]:
    """Return what lies staged for runs that are finished, whose driver died before it cleared up."""
    uri = join(catalog.uri, _STAGING)
    finished = catalog.snapshot().finished()
    with reported_as(CatalogError, f"cannot list {uri!r}"):
        fs, root = locate(uri)
        fs.invalidate_cache()
        found = fs.find(root, detail=True) if fs.isdir(root) else {}
    inside = {path[len(root) :].strip("/"): details for path, details in found.items()}
    return [
        Removal(f"{_STAGING}/{path}", "staged", int(details["size"]))
        for path, details in sorted(inside.items())
        if path.partition("/")[0] in finished and modified(details) < oldest
    ]


def _delete(catalog: Catalog, removals: Sequence[Removal], oldest: float) -> list[Removal]:
    """Delete files, unless one was written anew meanwhile; return those that are gone."""

    def delete(removal: Removal) -> bool:
        uri = join(catalog.uri, removal.path)
        with reported_as(CatalogError, f"cannot delete {uri!r}"):
            fs, path = locate(uri)
            with suppress(FileNotFoundError):
                if modified(fs.info(path, refresh=True)) >= oldest:
                    return False
                fs.rm_file(path)
        return True

    with ThreadPoolExecutor(_DELETERS) as threads:
        done = list(threads.map(delete, removals))
    _drop_empty_folders(catalog, removals)
    return [removal for removal, gone in zip(removals, done, strict=True) if gone]


def _drop_empty_folders(catalog: Catalog, removals: Sequence[Removal]) -> None:
    fs, _ = locate(catalog.uri)
    if not is_local(fs):
        return
    staging = Path(catalog.uri, _STAGING)
    folders = {Path(catalog.uri, removal.path).parent for removal in removals if removal.reason == "staged"}
    for folder in [*sorted(folders), *([staging] if folders else [])]:
        # A folder that is not empty is in use.
        with suppress(OSError):
            folder.rmdir()


def _given_up(
    logs: Mapping[str, Sequence[Commit]], older: Iterable[Snapshot], lost: set[str]
) -> tuple[int, ...]:
    """Return the versions that showed a file that is lost."""
    spans = {
        (table, run_of(path), first, last)
        for table, log in logs.items()
        for path, first, last in _lifetimes(log)
        if f"{table}/{path}" in lost
    }
    return tuple(
        snapshot.version
        for snapshot in older
        if any(
            first <= snapshot.pinned(table) < last and run_id in snapshot.finished()
            for table, run_id, first, last in spans
        )
    )


def _lifetimes(log: Sequence[Commit]) -> Iterator[tuple[str, int, int]]:
    """Yield (path, version that added it, version that removed it) of the files that are removed."""
    born: dict[str, int] = {}
    for commit in log:
        for path in commit.removed:
            if path in born:
                yield path, born.pop(path), commit.version
        for file in commit.added:
            born.setdefault(file.path, commit.version)
