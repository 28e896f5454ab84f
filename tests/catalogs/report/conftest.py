from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.report.data import (
    Bin,
    CaptionExample,
    CaptionFigures,
    EntityFigures,
    ErrorExample,
    ErrorFigures,
    EvaluationFigures,
    ImageFigures,
    LabelFigures,
    MaskFigures,
    QualityFigures,
    ReportData,
    RunFigures,
    StudentFigures,
)
from maskmill.catalogs.report.items import GalleryItem, index_map
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

HOSTILE = "<script>alert('x')</script>"
QUOTED = 'a "cat" \' onmouseover=alert(1) </style>'


@pytest.fixture
def item() -> GalleryItem:
    rng = np.random.default_rng(1)
    labels = np.zeros((30, 40), np.uint16)
    labels[5:20, 5:20], labels[22:28, 25:38] = 1, 2
    names = ("background", QUOTED, "house")
    return GalleryItem(
        key="00001",
        image=rng.integers(0, 255, (30, 40, 3)).astype(np.uint8),
        truth=index_map(labels, names),
        teacher=index_map(np.roll(labels, 2), names),
        student=index_map(np.zeros_like(labels), names),
        scores=(0.71, 0.333),
        captions=(HOSTILE, "a house"),
        group="best",
    )


@pytest.fixture
def full_data() -> ReportData:
    def judged(subject: str, protocol: str, miou: float, cat: float | None) -> EvaluationFigures:
        ious = {"background": 0.9, QUOTED: cat}
        return EvaluationFigures(subject, f"{subject}-1", protocol, "demo", "held-out", 160, miou, 0.8, ious)

    by_captions = judged("teacher", "captions", 0.61, 0.5)
    teacher, student = judged("teacher", "vocabulary", 0.5, 0.4), judged("student", "vocabulary", 0.565, None)
    return ReportData(
        uri="data/catalog",
        version=3,
        published="2026-01-02 03:04 UTC",
        runs=_runs(),
        images=ImageFigures(1200, 1150, (Bin("0", 50), Bin("1", 1150))),
        masks=MaskFigures(
            total=1150,
            labels=(LabelFigures(QUOTED, 1150, 0.75, 0.2),),
            areas=(Bin("<1%", 1150),),
            scores=(Bin("0.75", 1150),),
        ),
        captions=_captions(),
        errors=(
            ErrorFigures("label", "truncated_image", 2, (ErrorExample("demo", "00001", None, HOSTILE),)),
        ),
        quality=QualityFigures((by_captions, teacher, student), (teacher,), teacher, student),
        students=(_student("student-1", ((0.0, 2.0), (10.0, 1.0))), _student("student-0", ())),
    )


def _runs() -> tuple[RunFigures, ...]:
    label = RunFigures(
        "label-1",
        "label",
        "finished",
        finished_at="2026-01-02 03:04 UTC",
        seconds=12.5,
        config_hash="c0ffee",
        code_version="0.1.0",
        corpus="demo",
        corpus_uri="data/train",
        parent_run_id="filter-1",
        config={"vocabulary": HOSTILE},
        weights={"clip": "ab" * 32},
        libraries={"torch": "2.9"},
        counts={"images": 1200},
        counted=True,
    )
    return label, replace(
        label, run_id="label-0", status="failed", reason=HOSTILE, seconds=8000.0, counted=False
    )


def _captions() -> CaptionFigures:
    return CaptionFigures(
        total=2000,
        kept=1500,
        reasons=(Bin("kept", 1500), Bin("no_entity", 500)),
        per_entities=(Bin("0", 500), Bin("1", 1500)),
        images=1000,
        images_kept=990,
        per_entity=(Bin("0", 0), Bin("1+", 1)),
        entities=(Bin(QUOTED, 1100),),
        rejected=(EntityFigures("time", 40, HOSTILE),),
        entity_reasons=(Bin("kept", 1), Bin("not_visual", 1)),
        kept_examples=(CaptionExample((("the ", None), ("kitten", "cat"), (HOSTILE, None)), "kept"),),
        dropped_examples=(CaptionExample(((HOSTILE, None),), "no_entity"),),
    )


def _student(student_id: str, history: tuple[tuple[float, float], ...]) -> StudentFigures:
    return StudentFigures(
        student_id=student_id,
        label_run_id="label-1",
        catalog_version=3,
        weights_sha256="cd" * 32,
        classes=17,
        images=1150,
        steps=600,
        final_loss=0.41,
        seconds=300.0,
        history=history,
    )


_START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def _sample(key: str, corpus: str = "demo") -> dict[str, Any]:
    return {"image_id": image_id(corpus, key), "corpus": corpus, "key": key, "shard_id": "00000"}


def _image(key: str, masks: int, status: str = "labelled") -> dict[str, Any]:
    known = {"shard_uri": "x.tar", "width": 10, "height": 10, "sha256": "ab", "vocabulary": ["cat"]}
    return {**_sample(key), **known, "status": status, "masks": masks}


def _mask(key: str, label: str, area: int, score: float) -> dict[str, Any]:
    drawn = np.zeros((10, 10), np.bool_)
    drawn.ravel()[:area] = True
    box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 10, "bbox_h": 1, "components": 1, "height": 10, "width": 10}
    measured = {"rle": encode_mask(drawn), "area": area, "area_fraction": area / 100, "score": score}
    return {**_sample(key), "label": label, "label_kind": "vocabulary", "segmenter": "s@1", **box, **measured}


def _caption(key: str, words: str | None, *spans: tuple[int, int, str]) -> dict[str, Any]:
    entities = [entity for _, _, entity in spans]
    reason = "kept" if spans else "no_entity" if words else "no_caption"
    cut = [{"start": start, "end": end, "entity": entity} for start, end, entity in spans]
    found = {"keep": bool(spans), "reason": reason, "entities": entities, "spans": cut}
    return {**_sample(key), "caption_index": 0, "caption": words, **found}


def _entity(name: str, count: int, rank: int, reason: str) -> dict[str, Any]:
    known = {"entity_set": "set", "entity": name, "count": count, "rank": rank, "synonyms": []}
    return {**known, "keep": reason == "kept", "reason": reason}


def _error(key: str, reason: str, stage: str = "label") -> dict[str, Any]:
    return {"stage": stage, **_sample(key), "reason": reason, "detail": f"{key} is bad"}


def _evaluation(subject: str, protocol: str, miou: float, cat: float | None) -> dict[str, Any]:
    classes = [{"label": "cat", "iou": cat, "intersection": 1, "union": 2}]
    judged = {"vocabulary": "demo", "vocabulary_hash": "h", "dataset_uri": "held-out", "images": 16}
    measured = {"miou": miou, "pixel_accuracy": 0.9, "classes": classes}
    return {"subject": subject, "subject_id": f"{subject}@1", "protocol": protocol, **judged, **measured}


def _publish(
    catalog: Catalog,
    run_id: str,
    hour: int,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    **changes: object,
) -> int:
    catalog.commit([write_rows(catalog.uri, table, run_id, "00000", rows) for table, rows in tables.items()])
    finished = _START + timedelta(hours=hour)
    row = {
        "kind": run_id.split("-")[0],
        "status": "finished",
        "reason": None,
        "corpus": "demo",
        "corpus_uri": "data/train",
        "corpus_fingerprint": "f",
        "parent_run_id": None,
        "config": json.dumps({"vocabulary": "captions"}),
        "config_hash": "c0ffee",
        "weights": json.dumps({"clip": "ab"}),
        "code_version": "0.1.0",
        "libraries": json.dumps({"torch": "2.9"}),
        "schema_version": 1,
        "counts": json.dumps({"images": 3}),
        "table_versions": "{}",
        "started_at": _START,
        "finished_at": finished,
        "seconds": 3600.0 * hour,
    }
    return catalog.publish({**row, **changes}, run_id)


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Two filter runs and two label runs over one corpus, a student, and its evaluation; only to be read."""
    root = tmp_path_factory.mktemp("report")
    catalog = Catalog.create_or_open(str(root / "catalog"))
    _publish_filters(catalog)
    _publish_labels(catalog)
    _publish_student(catalog, root / "student")
    return catalog


@pytest.fixture
def reviewed_catalog(catalog: Catalog, tmp_path: Path) -> Catalog:
    """The same catalog with a review of the older label run on top: its dog is gone, a cat is there."""
    shutil.copytree(catalog.uri, tmp_path / "catalog")
    copy = Catalog.open(str(tmp_path / "catalog"))
    tables = {"images": [_image("a", 1, "reviewed")], "masks": [_mask("a", "cat", 20, 1.0)]}
    _publish(copy, "review-1", 8, tables, parent_run_id="label-old")
    return copy


@pytest.fixture
def failed_catalog(catalog: Catalog, tmp_path: Path) -> Catalog:
    """The same catalog with a failed run on top."""
    shutil.copytree(catalog.uri, tmp_path / "catalog")
    copy = Catalog.open(str(tmp_path / "catalog"))
    _publish(copy, "label-bad", 7, {}, status="failed", reason="too many errors")
    return copy


def _publish_filters(catalog: Catalog) -> None:
    captions = [_caption("a", "a kitten", (2, 8, "cat")), _caption("b", "so nice"), _caption("c", None)]
    nouns = [_entity("cat", 7, 1, "kept"), _entity("time", 5, 2, "not_visual"), _entity("dog", 3, 3, "kept")]
    _publish(catalog, "filter-1", 1, {"captions": captions, "entities": nouns})
    _publish(catalog, "filter-2", 2, {"captions": [_caption("a", "a cat", (2, 5, "cat"))]})


def _publish_labels(catalog: Catalog) -> None:
    _publish(catalog, "label-old", 3, {"images": [_image("a", 1)], "masks": [_mask("a", "dog", 50, 0.2)]})
    labelled = {
        "images": [_image("a", 2), _image("b", 1), _image("c", 0, "no_vocabulary")],
        "masks": [_mask("a", "cat", 10, 0.9), _mask("a", "dog", 4, 0.5), _mask("b", "cat", 60, 1.0)],
        "errors": [_error("d", "truncated_image"), _error("e", "truncated_image"), _error("f", "too_large")],
    }
    _publish(catalog, "label-new", 4, labelled, parent_run_id="filter-1")


def _publish_student(catalog: Catalog, folder: Path) -> None:
    folder.mkdir()
    record = {"weights_sha256": "cd", "history": [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.5}]}
    (folder / "train.json").write_text(json.dumps(record))
    trained = {"catalog_version": 3, "label_run_id": "label-new", "classes": ["background", "cat"]}
    weights = {"weights_uri": str(folder / "student.safetensors"), "weights_sha256": "cd"}
    measured = {"images": 2, "steps": 20, "final_loss": 0.5, "seconds": 9.0}
    student = {"student_id": "student@1", **trained, **weights, **measured}
    _publish(catalog, "train-1", 5, {"students": [student]}, corpus=None, corpus_uri=None)
    judged = [
        _evaluation("teacher", "vocabulary", 0.4, 0.4),
        _evaluation("teacher", "captions", 0.7, 0.7),
        _evaluation("student", "vocabulary", 0.5, None),
    ]
    _publish(catalog, "evaluate-1", 6, {"evaluations": judged}, corpus=None, corpus_uri=None)
