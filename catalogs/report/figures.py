"""Gather what the report says from one catalog version.

A version may hold several runs over the same images. Sums over all of them would count an image twice, so
the figures follow, for each corpus, the newest finished label run and the filter run that it builds on; every
other run is listed but not counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb

from ..query import connect
from ..store import Catalog
from .data import ErrorExample, ErrorFigures, ReportData, RunFigures
from .figures_captions import caption_figures
from .figures_masks import image_figures, mask_figures
from .figures_quality import quality_figures, student_figures
from .sql import records

_COUNTED = ("label", "filter")
_RUNS = """
SELECT run_id, kind, status, reason, corpus, corpus_uri, parent_run_id, config, config_hash, weights,
       code_version, libraries, counts, epoch_us(finished_at) AS finished_us, seconds
FROM runs ORDER BY finished_us DESC, run_id
"""
_ERRORS = """
SELECT stage, reason, count(*) AS count,
       list({'corpus': corpus, 'shard_id': shard_id, 'key': key, 'detail': detail}
            ORDER BY corpus, shard_id, key)[1:3] AS examples
FROM errors WHERE list_contains($runs, run_id)
GROUP BY stage, reason ORDER BY count(*) DESC, stage, reason
"""


def gather(uri: str, version: int | None = None) -> ReportData:
    """Return the figures of a catalog version.

    Args:
        uri: the catalog.
        version: default: the newest.

    Raises:
        CatalogError: no catalog at `uri`, or no such version.
    """
    number = Catalog.open(uri).version() if version is None else version
    with connect(uri, number) as db:
        runs = _runs(db)
        counted = _counted(runs)
        of_kind = {
            kind: [r.run_id for r in runs if r.run_id in counted and r.kind == kind] for kind in _COUNTED
        }
        return ReportData(
            uri=uri,
            version=number,
            published=runs[0].finished_at if runs else "",
            runs=tuple(replace(r, counted=r.run_id in counted) for r in runs),
            images=image_figures(db, of_kind["label"]),
            masks=mask_figures(db, of_kind["label"]),
            captions=caption_figures(db, of_kind["filter"]),
            errors=_errors(db, sorted(counted)),
            quality=quality_figures(db),
            students=student_figures(db),
        )


def counted_label_runs(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the label runs whose images and masks are counted: the newest finished one of each corpus."""
    runs = _runs(db)
    counted = _counted(runs)
    return [r.run_id for r in runs if r.kind == "label" and r.run_id in counted]


def _runs(db: duckdb.DuckDBPyConnection) -> list[RunFigures]:
    return [_run(row) for row in records(db, _RUNS)]


def _run(row: dict[str, Any]) -> RunFigures:
    for name in ("config", "weights", "libraries", "counts"):
        row[name] = json.loads(row[name])
    finished = datetime.fromtimestamp(row.pop("finished_us") / 1e6, UTC)
    return RunFigures(**row, finished_at=finished.strftime("%Y-%m-%d %H:%M UTC"))


def _counted(runs: Sequence[RunFigures]) -> set[str]:
    """Ids of the runs whose rows enter the figures; `runs` come newest first."""
    finished = [r for r in runs if r.status == "finished"]
    labels = {(r.corpus, r.corpus_uri): r for r in reversed(finished) if r.kind == "label"}
    filters = {(r.corpus, r.corpus_uri): r for r in reversed(finished) if r.kind == "filter"}
    by_id = {r.run_id: r for r in finished}
    for corpus, label in labels.items():
        parent = by_id.get(label.parent_run_id or "")
        if parent is not None and parent.kind == "filter":
            filters[corpus] = parent
    return {r.run_id for r in (*labels.values(), *filters.values())}


def _errors(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> tuple[ErrorFigures, ...]:
    return tuple(
        ErrorFigures(**{**row, "examples": tuple(ErrorExample(**e) for e in row["examples"])})
        for row in records(db, _ERRORS, runs=list(runs))
    )
