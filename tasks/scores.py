"""The result of an evaluation, as rows of ``evaluations`` and as a summary for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.metrics import ConfusionMatrix
from .runs import RunSummary


@dataclass(frozen=True)
class ProtocolScore:
    """One row of ``evaluations``; ``classes`` are (label, IoU or None, intersection, union)."""

    protocol: str
    miou: float
    pixel_accuracy: float
    classes: tuple[tuple[str, float | None, int, int], ...]


@dataclass(frozen=True)
class EvaluationSummary:
    """What an evaluation hands back.

    Args:
        subject: ``teacher`` or ``student``.
        scores: for each protocol of :class:`Judge`, ``known`` first.
        per_image: (key, mIoU by the first protocol) of every image; empty where a stored evaluation was
            reused.
    """

    run: RunSummary
    subject: str
    subject_id: str
    scores: tuple[ProtocolScore, ...]
    per_image: tuple[tuple[str, float], ...] = ()

    @property
    def miou(self) -> float:
        return self.scores[0].miou

    @property
    def pixel_accuracy(self) -> float:
        return self.scores[0].pixel_accuracy

    @property
    def images(self) -> int:
        return self.run.counts["images"]

    def lines(self) -> list[str]:
        """Return one line for each protocol."""
        return [
            f"{self.subject} {self.subject_id}, {s.protocol}: mIoU {100 * s.miou:.1f}, "
            f"pixel accuracy {100 * s.pixel_accuracy:.1f} on {self.images} images"
            for s in self.scores
        ]


def measures(counts: Iterable[NDArray[np.int64]], names: Sequence[str]) -> dict[str, Any]:
    """Return the measured columns of ``evaluations``.

    Args:
        counts: of parts of the dataset, as :class:`ConfusionMatrix` has them.
        names: of the classes.
    """
    matrix = ConfusionMatrix(len(names))
    for part in counts:
        matrix.merge(part)
    columns = zip(
        names, matrix.iou().tolist(), matrix.intersection.tolist(), matrix.union.tolist(), strict=True
    )
    classes = [
        {"label": name, "iou": None if math.isnan(iou) else iou, "intersection": inter, "union": union}
        for name, iou, inter, union in columns
    ]
    return {"miou": matrix.miou(), "pixel_accuracy": matrix.pixel_accuracy(), "classes": classes}


def summary_of(
    run: RunSummary, rows: Sequence[dict[str, Any]], per_image: tuple[tuple[str, float], ...]
) -> EvaluationSummary:
    """Return the summary of one run's rows of ``evaluations``, one for each protocol."""
    scores = tuple(
        ProtocolScore(
            r["protocol"],
            r["miou"],
            r["pixel_accuracy"],
            tuple((c["label"], c["iou"], c["intersection"], c["union"]) for c in r["classes"]),
        )
        for r in rows
    )
    return EvaluationSummary(run, rows[0]["subject"], rows[0]["subject_id"], scores, per_image)
