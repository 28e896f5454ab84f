"""The evaluation flow: mIoU of a segmenter or a student against ground truth."""

from __future__ import annotations

from prefect import flow

from ..schemas.config import CorpusConfig, EvaluateConfig
from ..tasks.evaluate import EvaluationSubject, EvaluationSummary
from .stages import evaluate_stage, table_artifact


@flow(name="evaluate")
def evaluate(
    subject: EvaluationSubject, dataset: CorpusConfig, catalog: str, config: EvaluateConfig | None = None
) -> EvaluationSummary:
    """Judge a subject on a dataset and store the result in the catalog's ``evaluations``.

    Args:
        subject: a segmenter by configuration, or a student by its weights file.
        dataset: a demo corpus or a COCO JSON with its images.
        catalog: where the result is stored.
        config: vocabulary, protocol and pool; default: :class:`EvaluateConfig`.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    summary = evaluate_stage(subject, dataset, catalog, config or EvaluateConfig())
    table_artifact("evaluation-summary", {"mIoU": summary.miou, "images": summary.images}, summary.subject)
    return summary
