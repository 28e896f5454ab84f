"""The evaluation flow: mIoU of a segmenter or a student against ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from ..schemas.config import CorpusConfig, EvaluateConfig, SegmenterConfig
from ..schemas.config_files import load_config
from ..tasks.evaluate import EvaluationSubject, EvaluationSummary
from .stages import evaluate_stage, table_artifact


@flow(name="evaluate")
def evaluate(
    subject: EvaluationSubject, dataset: CorpusConfig, catalog: str, config: EvaluateConfig | None = None
) -> EvaluationSummary:
    """Judge a subject on a dataset and store the result in the catalog's ``evaluations``.

    Args:
        subject: a segmenter by configuration, or a student by its weights file.
        dataset: LAYOUT:PATH, a demo corpus, or a COCO JSON with its images.
        catalog: where the result is stored.
        config: vocabulary, protocol and pool; default: :class:`EvaluateConfig`.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    summary = evaluate_stage(subject, dataset, catalog, config or EvaluateConfig())
    table_artifact("evaluation-summary", {"mIoU": summary.miou, "images": summary.images}, summary.subject)
    return summary


def subject_of(student: Path | None, segmenter: dict[str, Any]) -> EvaluationSubject:
    """Return the student if one is given, else the segmenter that the configuration fields describe."""
    return student if student is not None else load_config(SegmenterConfig, None, segmenter)
