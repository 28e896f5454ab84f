"""The labelling flow: captions to entities, images to masks, one new catalog version."""

from __future__ import annotations

from prefect import flow

from ..schemas.config import CorpusConfig, LabelConfig
from ..tasks.pool import session
from ..tasks.runs import RunSummary
from .stages import label_stage, publish, table_artifact


@flow(name="label", flow_run_name="label {corpus.uri}")
def label(
    corpus: CorpusConfig, catalog: str, config: LabelConfig | None = None, run_id: str | None = None
) -> RunSummary:
    """Label every image of a corpus once; a rerun resumes, and is a no-op when nothing is left.

    With the vocabulary ``captions`` the stage filters the captions first, unless they are filtered already.

    Args:
        corpus: what to read.
        catalog: folder or object-store prefix; created when it does not exist.
        config: segmenter, vocabulary, filter and pool; default: :class:`LabelConfig`.
        run_id: a name of your own for the run; default: it follows from corpus, configuration and weights.

    Returns:
        The summary of the label run; ``version`` is the catalog version that shows it.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`; committed shards are kept.
    """
    config = config or LabelConfig()
    with session(config.pool):
        summary = label_stage(corpus, catalog, config, run_id)
    table_artifact("label-summary", {"version": summary.version, **summary.counts}, summary.run_id)
    publish(catalog, summary)
    return summary
