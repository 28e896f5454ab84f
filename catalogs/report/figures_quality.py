"""Figures about students and their evaluation against ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from ...schemas.errors import CatalogError
from .data import EvaluationFigures, QualityFigures, StudentFigures
from .sql import records

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
SELECT s.student_id, s.label_run_id, s.catalog_version, s.weights_sha256, len(s.classes) AS classes, s.images,
       s.steps, s.final_loss, s.seconds, s.weights_uri
FROM students s JOIN runs r USING (run_id) ORDER BY r.finished_at DESC, s.student_id
"""


def quality_figures(db: duckdb.DuckDBPyConnection) -> QualityFigures:
    """Compare the newest student with, on the same data, the newest teacher of each protocol."""
    rows = [_evaluation(row) for row in records(db, _EVALUATIONS)]
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
    return tuple(_student(row) for row in records(db, _STUDENTS))


def read_history(path: Path, weights_sha256: str) -> tuple[tuple[float, float], ...]:
    """Return (step, loss) pairs of a training record.

    Args:
        path: ``train.json`` with ``weights_sha256`` and a list ``history`` of ``step`` and ``loss``.
        weights_sha256: the student's; where the file is missing (weights on another machine) or tells of
            another student (the folder was used again), the history is empty.

    Raises:
        CatalogError: the file is there but holds something else.
    """
    if not path.is_file():
        return ()
    try:
        record = json.loads(path.read_text("utf-8"))
        if record["weights_sha256"] != weights_sha256:
            return ()
        return tuple((float(point["step"]), float(point["loss"])) for point in record["history"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CatalogError(f"training record {str(path)!r} cannot be read: {err!r}") from err


def _student(row: dict[str, Any]) -> StudentFigures:
    record = Path(row.pop("weights_uri")).parent / "train.json"
    return StudentFigures(**row, history=read_history(record, row["weights_sha256"]))


def _evaluation(row: dict[str, Any]) -> EvaluationFigures:
    classes = row.pop("classes")
    return EvaluationFigures(**row, ious={c["label"]: c["iou"] for c in classes})


def _judged_alike(
    student: EvaluationFigures | None, columns: Sequence[EvaluationFigures]
) -> EvaluationFigures | None:
    """Prefer the teacher judged by the student's protocol; with another the gain means something else."""
    teachers = [e for e in columns if e.subject == "teacher"]
    alike = [e for e in teachers if student is not None and e.protocol == student.protocol]
    return next(iter(alike or teachers), None)
