"""Gather what the report says from one catalog version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from ..query import connect
from ..store import Catalog
from .data import ErrorExample, ErrorFigures, ReportData
from .figures_captions import caption_figures
from .figures_masks import image_figures, mask_figures
from .figures_quality import quality_figures, student_figures
from .runs import all_runs, counted_runs
from .sql import records

_COUNTED = ("label", "filter")
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
        runs = all_runs(db)
        counted = counted_runs(runs)
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


def _errors(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> tuple[ErrorFigures, ...]:
    return tuple(
        ErrorFigures(**{**row, "examples": tuple(ErrorExample(**e) for e in row["examples"])})
        for row in records(db, _ERRORS, runs=list(runs))
    )
