"""The flow that trains an objectness head."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from ..schemas.config import CorpusConfig, ObjectnessConfig
from ..tasks.train_objectness import ObjectnessSummary
from .stages import objectness_stage, table_artifact


@flow(name="train-objectness", flow_run_name="train-objectness {out}")
def objectness(corpus: CorpusConfig, out: Path, config: ObjectnessConfig | None = None) -> ObjectnessSummary:
    """Train FOUND's head on the images of a corpus, without any annotation.

    Args:
        corpus: where the images lie.
        out: a ``.safetensors`` file.
        config: backbone and recipe; default: :class:`ObjectnessConfig`.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    summary = objectness_stage(corpus, out, config or ObjectnessConfig())
    figures = {"images": summary.images, "loss": round(summary.loss, 4), "sha256": summary.sha256}
    table_artifact("objectness-summary", figures, str(out))
    return summary
