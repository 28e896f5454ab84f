from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_catalog import fill, image, mask, publish

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
from maskmill.catalogs.store import Catalog

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
        per_entity=(Bin("0", 0), Bin("1-9", 1)),
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


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Two filter runs and two label runs over one corpus, a student, and its evaluation; only to be read."""
    root = tmp_path_factory.mktemp("report")
    catalog = Catalog.create_or_open(str(root / "catalog"))
    fill(catalog, root / "student")
    return catalog


@pytest.fixture
def reviewed_catalog(catalog: Catalog, tmp_path: Path) -> Catalog:
    """The same catalog with a review of the older label run on top: its dog is gone, a cat is there."""
    shutil.copytree(catalog.uri, tmp_path / "catalog")
    copy = Catalog.open(str(tmp_path / "catalog"))
    tables = {"images": [image("a", 1, "reviewed")], "masks": [mask("a", "cat", 20, 1.0)]}
    publish(copy, "review-1", 8, tables, parent_run_id="label-old")
    return copy


@pytest.fixture
def failed_catalog(catalog: Catalog, tmp_path: Path) -> Catalog:
    """The same catalog with a failed run on top."""
    shutil.copytree(catalog.uri, tmp_path / "catalog")
    copy = Catalog.open(str(tmp_path / "catalog"))
    publish(copy, "label-bad", 7, {}, status="failed", reason="too many errors")
    return copy
