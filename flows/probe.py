"""The probe flow: what the features of a backbone know."""

from __future__ import annotations

import math

from prefect import flow

from ..schemas.config import CorpusConfig
from ..schemas.probe_config import ProbeConfig, ProbeKind
from ..tasks.probe import ProbeSummary, probe_run
from .progress import stage_progress
from .stages import stage, table_artifact


@stage("probe")
def probe_stage(kind: ProbeKind, dataset: CorpusConfig, catalog: str, config: ProbeConfig) -> ProbeSummary:
    return probe_run(kind, dataset, catalog, config, stage_progress())


@flow(name="probe")
def probe(
    kind: ProbeKind, dataset: CorpusConfig, catalog: str, config: ProbeConfig | None = None
) -> ProbeSummary:
    """Judge the dense features of a backbone and store the result in the catalog's ``evaluations``.

    Args:
        kind: ``knn``, ``linear``, ``davis`` or ``waterbirds``.
        dataset: LAYOUT:PATH, a demo corpus or a COCO JSON; of ``davis`` and ``waterbirds`` the folder.
        catalog: where the result is stored.
        config: backbone and what it learns from; default: :class:`ProbeConfig`.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    summary = probe_stage(kind, dataset, catalog, config or ProbeConfig())
    numbers = {"mIoU": summary.miou, "images": summary.images, **summary.metrics}
    told = {name: value for name, value in numbers.items() if not math.isnan(value)}
    table_artifact("probe-summary", told, summary.subject_id)
    return summary
