"""The result of an evaluation, as rows of ``evaluations`` and as a summary for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.metrics import BoundaryScores, ConfusionMatrix, split_miou
from .runs import RunSummary

WHOLE, WINDOWS = "whole image", "windows"
_SHOWN, _LONGEST = 6, 60  # renames in a line, and the characters of one


@dataclass(frozen=True)
class ProtocolScore:
    """One row of ``evaluations``.

    Args:
        classes: (label, IoU or None, intersection, union).
        metrics: further numbers by name.
        details: what the protocol fixes, as ``evaluations.details``.
    """

    protocol: str
    miou: float
    pixel_accuracy: float
    classes: tuple[tuple[str, float | None, int, int], ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


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

    def metrics(self) -> dict[str, float]:
        """Return the further metrics of all protocols by name; those of a second reading of one protocol
        begin with the reading, such as ``segment_text_image_iou``.
        """
        found = dict(self.scores[0].metrics)
        for score in self.scores[1:]:
            reading = score.protocol.partition("/")[2].replace("-", "_")
            found |= {f"{reading}_{name}": value for name, value in score.metrics.items() if reading}
        return found

    def lines(self) -> list[str]:
        """Return one line for each protocol, and what must be known to compare it with another's."""
        lines = [self._line(score) for score in self.scores]
        details = self.scores[0].details
        if renames := details.get("renames"):
            lines.append(f"asked for as {_named(renames)}")
        lines += [f"{name} is not measured: {why}" for name, why in details.get("not_measured", {}).items()]
        if details.get("seen") == WHOLE:
            lines.append("the protocol's windows were not used: this subject gives labels and no logits")
        return lines

    def _line(self, score: ProtocolScore) -> str:
        extra = "".join(f", {name} {100 * value:.1f}" for name, value in score.metrics.items())
        return (
            f"{self.subject} {self.subject_id}, {score.protocol}: mIoU {100 * score.miou:.1f}, "
            f"pixel accuracy {100 * score.pixel_accuracy:.1f}{extra} on {self.images} images"
        )


def _named(renames: Mapping[str, Sequence[str]]) -> str:
    shown = [f"{name} = {' | '.join(words)}" for name, words in renames.items()]
    shown = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in shown]
    rest = len(shown) - _SHOWN
    return "; ".join(shown[:_SHOWN]) + (f"; and {rest} more (evaluations.details)" if rest > 0 else "")


def further(
    matrix: ConfusionMatrix, unknown: Sequence[bool], boundary: BoundaryScores | None
) -> list[dict[str, Any]]:
    """Return ``evaluations.metrics``: the mIoU of known and unknown classes where some are unknown, and the
    boundary F where it was measured; what has no value is left out.
    """
    values: dict[str, float] = {}
    if any(unknown):
        split = split_miou(matrix, unknown)
        values |= {
            "known_miou": split.known,
            "unknown_miou": split.unknown,
            "harmonic_miou": split.harmonic,
        }
    if boundary is not None:
        values["boundary_f"] = boundary.mean()
    return [{"name": name, "value": value} for name, value in values.items() if not math.isnan(value)]


def summed(counts: Iterable[NDArray[np.int64]], classes: int) -> ConfusionMatrix:
    """Add up the counts of parts of a dataset, as :class:`ConfusionMatrix` has them."""
    matrix = ConfusionMatrix(classes)
    for part in counts:
        matrix.merge(part)
    return matrix


def measures(matrix: ConfusionMatrix, names: Sequence[str]) -> dict[str, Any]:
    """Return the measured columns of ``evaluations`` that every evaluation has."""
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
            {m["name"]: m["value"] for m in r.get("metrics") or ()},
            json.loads(r.get("details") or "{}"),
        )
        for r in rows
    )
    return EvaluationSummary(run, rows[0]["subject"], rows[0]["subject_id"], scores, per_image)
