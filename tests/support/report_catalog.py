"""The catalog that the report is tested on: two filter runs and two label runs over one corpus, a student and
its evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

_START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def _sample(key: str, corpus: str = "demo") -> dict[str, Any]:
    return {"image_id": image_id(corpus, key), "corpus": corpus, "key": key, "shard_id": "00000"}


def image(key: str, masks: int, status: str = "labelled") -> dict[str, Any]:
    known = {"shard_uri": "x.tar", "width": 10, "height": 10, "sha256": "ab", "vocabulary": ["cat"]}
    return {**_sample(key), **known, "status": status, "masks": masks}


def mask(key: str, label: str, area: int, score: float) -> dict[str, Any]:
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


def publish(
    catalog: Catalog,
    run_id: str,
    hour: int,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    **changes: object,
) -> int:
    """Publish a run whose kind is the first word of its id, finished at an hour; return the version."""
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


def fill(catalog: Catalog, student: Path) -> None:
    """Publish all runs; the folder of the student is made."""
    _publish_filters(catalog)
    _publish_labels(catalog)
    _publish_student(catalog, student)


def _publish_filters(catalog: Catalog) -> None:
    captions = [_caption("a", "a kitten", (2, 8, "cat")), _caption("b", "so nice"), _caption("c", None)]
    nouns = [_entity("cat", 7, 1, "kept"), _entity("time", 5, 2, "not_visual"), _entity("dog", 3, 3, "kept")]
    publish(catalog, "filter-1", 1, {"captions": captions, "entities": nouns})
    publish(catalog, "filter-2", 2, {"captions": [_caption("a", "a cat", (2, 5, "cat"))]})


def _publish_labels(catalog: Catalog) -> None:
    publish(catalog, "label-old", 3, {"images": [image("a", 1)], "masks": [mask("a", "dog", 50, 0.2)]})
    labelled = {
        "images": [image("a", 2), image("b", 1), image("c", 0, "no_vocabulary")],
        "masks": [mask("a", "cat", 10, 0.9), mask("a", "dog", 4, 0.5), mask("b", "cat", 60, 1.0)],
        "errors": [_error("d", "truncated_image"), _error("e", "truncated_image"), _error("f", "too_large")],
    }
    publish(catalog, "label-new", 4, labelled, parent_run_id="filter-1")


def _publish_student(catalog: Catalog, folder: Path) -> None:
    folder.mkdir()
    record = {"weights_sha256": "cd", "history": [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.5}]}
    (folder / "train.json").write_text(json.dumps(record))
    trained = {"catalog_version": 3, "label_run_id": "label-new", "classes": ["background", "cat"]}
    weights = {"weights_uri": str(folder / "student.safetensors"), "weights_sha256": "cd"}
    measured = {"images": 2, "steps": 20, "final_loss": 0.5, "seconds": 9.0}
    student = {"student_id": "student@1", **trained, **weights, **measured}
    publish(catalog, "train-1", 5, {"students": [student]}, corpus=None, corpus_uri=None)
    judged = [
        _evaluation("teacher", "vocabulary", 0.4, 0.4),
        _evaluation("teacher", "captions", 0.7, 0.7),
        _evaluation("student", "vocabulary", 0.5, None),
    ]
    publish(catalog, "evaluate-1", 6, {"evaluations": judged}, corpus=None, corpus_uri=None)
