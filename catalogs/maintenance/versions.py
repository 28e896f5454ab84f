"""The versions of a catalog, one after the other: which run made each, when, and what it is called."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...schemas.tables import PARTITION
from ..store import RUNS_TABLE, Catalog
from ..tags import read_tags
from .log import read_log
from .state import rows_by_commit

_COLUMNS = ("kind", "status", "reason", "counts")


@dataclass(frozen=True)
class VersionEntry:
    """One catalog version.

    Args:
        at: when it was published, UTC.
        run_id: the run whose row it brought; None where only the table's columns changed.
        again: that run was published before: continued, or its files were compacted.
        counts: JSON, as the run stored them.
    """

    version: int
    at: datetime
    run_id: str | None
    kind: str | None
    status: str | None
    reason: str | None
    again: bool
    counts: str | None
    tags: tuple[str, ...]

    def fields(self) -> dict[str, Any]:
        """Return name -> value, of ``counts`` what the JSON holds."""
        return {**vars(self), "counts": json.loads(self.counts) if self.counts else None}


def history(uri: str) -> list[VersionEntry]:
    """Return all versions of a catalog, the first first.

    Raises:
        CatalogError: no catalog, or nothing is published.
    """
    catalog = Catalog.open(uri)
    newest = catalog.version()
    commits = read_log(catalog.uri, RUNS_TABLE)[1 : newest + 1]
    names: dict[int, list[str]] = defaultdict(list)
    for name, version in read_tags(catalog.uri).items():
        names[version].append(name)
    seen: set[str] = set()
    entries = []
    for commit, row in zip(commits, rows_by_commit(catalog, commits), strict=True):
        known = {column: row[column] if row else None for column in _COLUMNS}
        run_id = row[PARTITION] if row else None
        tags = tuple(names[commit.version])
        entries.append(
            VersionEntry(commit.version, commit.at, run_id, again=run_id in seen, tags=tags, **known)
        )
        seen |= {run_id} if run_id else set()
    return entries
