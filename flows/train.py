"""The training flow: one student from one pinned catalog version."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from ..schemas.config import TrainConfig
from ..tasks.train import TrainSummary
from .stages import table_artifact, train_stage


@flow(name="train", flow_run_name="train {catalog} v{version}")
def train(
    catalog: str, version: int | str | None, out: Path, config: TrainConfig | None = None
) -> TrainSummary:
    """Train a student on the pseudo-masks of a pinned version; trained before, it is only named.

    Args:
        catalog: folder or object-store prefix of the catalog.
        version: catalog version or tag; None pins the newest.
        out: folder for ``student.safetensors``, ``train.json`` and checkpoints.
        config: optimisation and network; default: :class:`TrainConfig`.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    summary = train_stage(catalog, version, out, config or TrainConfig())
    table_artifact(
        "train-summary", {"student": str(summary.weights), **summary.run.counts}, summary.run.run_id
    )
    return summary
