"""The runs of a catalog version as the report tells of them, and which of them it counts.

A version may hold several runs over the same images. Sums over all of them would count an image twice, so
the figures follow, for each corpus, the newest finished label run and the filter run that it builds on; every
other run is listed but not counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from .data import RunFigures
from .sql import records

_RUNS = """
SELECT run_id, kind, status, reason, corpus, corpus_uri, parent_run_id, config, config_hash, weights,
       code_version, libraries, counts, epoch_us(finished_at) AS finished_us, seconds
FROM runs ORDER BY finished_us DESC, run_id
"""


def all_runs(db: duckdb.DuckDBPyConnection) -> list[RunFigures]:
    """Return every run of the version, newest first."""
    return [_run(row) for row in records(db, _RUNS)]


def counted_runs(runs: Sequence[RunFigures]) -> set[str]:
    """Return the ids of the runs whose rows enter the figures; `runs` come newest first."""
    finished = [r for r in runs if r.status == "finished"]
    labels = {(r.corpus, r.corpus_uri): r for r in reversed(finished) if r.kind == "label"}
    filters = {(r.corpus, r.corpus_uri): r for r in reversed(finished) if r.kind == "filter"}
    by_id = {r.run_id: r for r in finished}
    for corpus, label in labels.items():
        parent = by_id.get(label.parent_run_id or "")
        if parent is not None and parent.kind == "filter":
            filters[corpus] = parent
    return {r.run_id for r in (*labels.values(), *filters.values())}


def counted_label_runs(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the label runs whose images and masks are counted: the newest finished one of each corpus."""
    runs = all_runs(db)
    counted = counted_runs(runs)
    return [r.run_id for r in runs if r.kind == "label" and r.run_id in counted]


def _run(row: dict[str, Any]) -> RunFigures:
    for name in ("config", "weights", "libraries", "counts"):
        row[name] = json.loads(row[name])
    finished = datetime.fromtimestamp(row.pop("finished_us") / 1e6, UTC)
    return RunFigures(**row, finished_at=finished.strftime("%Y-%m-%d %H:%M UTC"))
