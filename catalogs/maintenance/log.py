"""The log of a table, read whole: which commit added and removed which files, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from ...schemas.errors import CatalogError
from ...schemas.history import TABLES_SINCE
from ..storage import join, locate, reported_as

_COMMIT = re.compile(r"(\d{20})\.json")
_READERS = 16


@dataclass(frozen=True)
class LoggedFile:
    """A file as its commit describes it.

    Args:
        path: relative to its table.
        size: bytes.
        stats: Delta statistics.
        sha256: of the file; None where an earlier maskmill committed it.
    """

    path: str
    size: int
    stats: Mapping[str, Any]
    sha256: str | None = None

    @property
    def rows(self) -> int:
        return int(self.stats["numRecords"])


@dataclass(frozen=True)
class Commit:
    """One version of a table."""

    version: int
    at: datetime
    added: tuple[LoggedFile, ...]
    removed: frozenset[str]


def read_log(catalog_uri: str, table: str) -> list[Commit]:
    """Return all commits of a table, the first first; the catalog keeps its log for ever.

    A table that came with a later schema version than the catalog is of has none.

    Raises:
        CatalogError: the log cannot be read, or commits are missing from it.
    """
    folder = join(catalog_uri, table, "_delta_log")
    with reported_as(CatalogError, f"cannot read the log {folder!r}"):
        fs, path = locate(folder)
        fs.invalidate_cache()
        if table in TABLES_SINCE and not fs.isdir(path):
            return []
        names = sorted(
            n for file in fs.ls(path, detail=False) if _COMMIT.fullmatch(n := file.rpartition("/")[2])
        )
        with ThreadPoolExecutor(_READERS) as threads:
            bodies = list(threads.map(lambda name: fs.cat_file(f"{path}/{name}"), names))
        commits = [_commit(int(name[:20]), body) for name, body in zip(names, bodies, strict=True)]
    if [commit.version for commit in commits] != list(range(len(commits))) or not commits:
        raise CatalogError(
            f"the log {folder!r} lacks commits: the catalog is damaged, restore it from a copy"
        )
    return commits


def files_at(log: Sequence[Commit], version: int) -> dict[str, LoggedFile]:
    """Return path -> file of the files that a table has at a version, sorted by path."""
    files: dict[str, LoggedFile] = {}
    for commit in log[: version + 1]:
        for path in commit.removed:
            files.pop(path, None)
        files |= {file.path: file for file in commit.added}
    return dict(sorted(files.items()))


def _commit(version: int, body: bytes) -> Commit:
    actions = [json.loads(line) for line in body.decode().splitlines() if line.strip()]
    said = next(a["commitInfo"] for a in actions if "commitInfo" in a)
    sums = said.get("sha256", {})
    added = tuple(_file(a["add"], sums) for a in actions if "add" in a)
    removed = frozenset(unquote(a["remove"]["path"]) for a in actions if "remove" in a)
    return Commit(version, datetime.fromtimestamp(said["timestamp"] / 1000, UTC), added, removed)


def _file(add: Mapping[str, Any], sums: Mapping[str, str]) -> LoggedFile:
    path = unquote(add["path"])
    return LoggedFile(path, add["size"], json.loads(add["stats"]), sums.get(path))
