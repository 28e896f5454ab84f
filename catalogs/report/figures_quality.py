"""Figures about students and their evaluation against ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from ...schemas.errors import CatalogError
from .data import EvaluationFigures, QualityFigures, StudentFigures

_EVALUATIONS = """
SELECT e.subject, e.subject_id, e.protocol, e.vocabulary, e.dataset_uri, e.images, e.miou, e.pixel_accuracy,
       e.classes
FROM evaluations e JOIN runs r USING (run_id)
QUALIFY row_number() OVER (
    PARTITION BY e.subject, e.subject_id, e.protocol, e.vocabulary_hash, e.dataset_uri
    ORDER BY r.finished_at DESC, run_id) = 1
ORDER BY r.finished_at DESC, e.subject, e.protocol, e.subject_id
"""
_STUDENTS = """
SELECT s.student_id, s.label_run_id, s.catalog_version, s.weights_sha256, len(s.classes), s.images, s.steps,
       s.final_loss, s.seconds, s.weights_uri
FROM students s JOIN runs r USING (run_id) ORDER BY r.finished_at DESC, s.student_id
"""


def quality_figures(db: duckdb.DuckDBPyConnection) -> QualityFigures:
    """Pick what is compared: the newest student, and the newest teachers on the same data, one per protocol."""
    rows = [_evaluation(row) for row in db.execute(_EVALUATIONS).fetchall()]
    if not rows:
        return QualityFigures()
    student = next((e for e in rows if e.subject == "student"), None)
    dataset = (student or rows[0]).dataset_uri
    teachers = {e.protocol: e for e in reversed(rows) if e.subject == "teacher" and e.dataset_uri == dataset}
    columns = [teachers[protocol] for protocol in sorted(teachers)]
    if student is not None:
        columns.append(student)
    return QualityFigures(
        columns=tuple(columns),
        others=tuple(e for e in rows if e not in columns),
        teacher=_judged_alike(student, columns),
        student=student,
    )


def student_figures(db: duckdb.DuckDBPyConnection) -> tuple[StudentFigures, ...]:
    """Return the trained students, newest first, with the losses that lie beside their weights."""
    return tuple(
        StudentFigures(*row, history=read_history(Path(weights).parent / "train.json"))
        for *row, weights in db.execute(_STUDENTS).fetchall()
    )


def read_history(path: Path) -> tuple[tuple[float, float], ...]:
    """Return (step, loss) pairs of a training record.

    Args:
        path: ``train.json`` with a list ``history`` of objects with ``step`` and ``loss``; where there is no
            such file (weights on another machine) the history is empty.

    Raises:
        CatalogError: the file is there but holds something else.
    """
    if not path.is_file():
        return ()
    try:
        history = json.loads(path.read_text("utf-8"))["history"]
        return tuple((float(point["step"]), float(point["loss"])) for point in history)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CatalogError(f"training record {str(path)!r} cannot be read: {err}") from err


def _evaluation(row: Sequence[Any]) -> EvaluationFigures:
    *values, classes = row
    return EvaluationFigures(*values, ious={c["label"]: c["iou"] for c in classes})


def _judged_alike(
    student: EvaluationFigures | None, columns: Sequence[EvaluationFigures]
) -> EvaluationFigures | None:
    """Prefer the teacher judged by the student's protocol; another protocol makes the gain mean something else."""
    teachers = [e for e in columns if e.subject == "teacher"]
    alike = [e for e in teachers if student is not None and e.protocol == student.protocol]
    return next(iter(alike or teachers), None)
