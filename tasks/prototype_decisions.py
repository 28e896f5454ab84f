"""The decisions of people about prototypes, each lot of them as a run of its own."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ..catalogs.prototypes import Decision, check_decisions, prototype_names, write_decisions
from ..catalogs.store import Catalog
from ..schemas.config import Frozen
from .runs import RunEnd, RunHead, RunSummary, default_run_id, finished_run, results_hash, run_row

KIND = "decisions"


class DecisionsRecord(Frozen):
    """What a run of decisions stores as its configuration; the decisions themselves are its rows.

    ``sha256`` is over all of them, with their times.
    """

    decisions: int
    sha256: str
    decided_by: tuple[str, ...]


def decide(catalog_uri: str, decisions: Sequence[Decision]) -> RunSummary:
    """Store decisions about prototypes as a finished run of kind ``decisions``.

    No row of ``masks`` is written again: the views of every later version go by the newest decision on each
    prototype, those of earlier versions by what had been decided then. Decisions that say when they were
    taken, given again, change nothing.

    Returns:
        counts: decisions, and how many of them name, merge, reject and reset.

    Raises:
        CatalogError: no catalog, or a prototype that is not there.
        ConfigError: the decisions cannot stand together, see `catalogs.prototypes.check_decisions`.
    """
    began = time.monotonic()
    catalog = Catalog.open(catalog_uri)
    rows = _rows(decisions)
    head = _head(rows)
    finished = finished_run(catalog, head)
    if finished:
        return finished
    check_decisions(prototype_names(catalog_uri), decisions)
    catalog.commit([write_decisions(catalog, head.run_id, rows)])
    counts = {"decisions": len(rows), **Counter(row["decision"] for row in rows)}
    version = catalog.publish(run_row(head, RunEnd(counts)), head.run_id)
    return RunSummary(KIND, head.run_id, version, counts, time.monotonic() - began)


def _rows(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    rows = []
    for decision in decisions:
        row = asdict(decision) | {"decided_at": (decision.decided_at or now).astimezone(UTC)}
        rows.append({"decision_id": _digest(row), **row})
    return rows


def _head(rows: Sequence[dict[str, Any]]) -> RunHead:
    sha256 = _digest([row["decision_id"] for row in rows])
    deciders = {row["decided_by"] for row in rows if row["decided_by"]}
    record = DecisionsRecord(decisions=len(rows), sha256=sha256, decided_by=tuple(sorted(deciders)))
    return RunHead(KIND, default_run_id(KIND, sha256), record, results_hash(record))


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
