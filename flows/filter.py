"""The caption flow: captions to an entity set and one decision per caption."""

from __future__ import annotations

from prefect import flow

from ..schemas.config import CorpusConfig, FilterConfig
from ..tasks.runs import RunSummary
from .stages import filter_stage, publish, table_artifact


@flow(name="filter", flow_run_name="filter {corpus.uri}")
def filter_captions(
    corpus: CorpusConfig, catalog: str, config: FilterConfig | None = None, run_id: str | None = None
) -> RunSummary:
    """Filter the captions of a corpus; every caption becomes a row with its decision and reason.

    Args:
        corpus: what to read.
        catalog: folder or object-store prefix; created when it does not exist.
        config: entity set and pool; default: :class:`FilterConfig`.
        run_id: a name of your own for the run.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    summary = filter_stage(corpus, catalog, config or FilterConfig(), run_id)
    table_artifact("filter-summary", {"version": summary.version, **summary.counts}, summary.run_id)
    publish(catalog, summary)
    return summary
