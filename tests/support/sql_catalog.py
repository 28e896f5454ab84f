"""A small catalog with one of everything that SQL is asked about: two corpora, a filter run, three label runs
of which two saw the same images, a review, a failed run, a student and its evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.query import query
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

HEIGHT, WIDTH = 40, 60
_START = datetime(2026, 1, 1, tzinfo=UTC)

Row = dict[str, Any]
Box = tuple[int, int, int, int]  # x, y, width, height
BOX: Box = (0, 0, 10, 10)


def sample(key: str, corpus: str = "web", shard: str = "00000") -> Row:
    return {"image_id": image_id(corpus, key), "corpus": corpus, "key": key, "shard_id": shard}


def image(key: str, masks: int, status: str = "labelled", **changes: str) -> Row:
    known = {"shard_uri": "x.tar", "width": WIDTH, "height": HEIGHT, "sha256": f"of {key}"}
    row = {**sample(key), **known, "vocabulary": ["cat", "dog", "sofa"], "status": status, "masks": masks}
    return row | changes


def mask(key: str, label: str, box: Box, score: float, **changes: Any) -> Row:
    x, y, width, height = box
    drawn = np.zeros((HEIGHT, WIDTH), np.bool_)
    drawn[y : y + height, x : x + width] = True
    area = width * height
    size = {"height": HEIGHT, "width": WIDTH, "area": area, "area_fraction": area / drawn.size}
    where = {"bbox_x": x, "bbox_y": y, "bbox_w": width, "bbox_h": height, "components": 1}
    origin = {"label": label, "label_kind": "vocabulary", "segmenter": "clip@1", "score": score}
    return {**sample(key), **size, **where, **origin, "rle": encode_mask(drawn)} | changes


def caption(key: str, words: str, *entities: str, **changes: str) -> Row:
    spans = [{"start": words.index(e), "end": words.index(e) + len(e), "entity": e} for e in entities]
    reason = "kept" if entities else "no_entity"
    found = {"keep": bool(entities), "reason": reason, "entities": list(entities), "spans": spans}
    return {**sample(key), "caption_index": 0, "caption": words, **found} | changes


def error(key: str | None, reason: str, shard: str = "00000") -> Row:
    identity = {"image_id": None, "key": None} if key is None else sample(key)
    return {
        "stage": "label",
        "corpus": "web",
        **identity,
        "shard_id": shard,
        "reason": reason,
        "detail": "bad",
    }


def publish(
    catalog: Catalog, run_id: str, day: int, tables: Mapping[str, Sequence[Row]], **changes: object
) -> int:
    """Publish a run whose kind is the first word of its id; return the catalog version that shows it."""
    catalog.commit([write_rows(catalog.uri, table, run_id, "00000", made) for table, made in tables.items()])
    row = {
        "kind": run_id.split("-")[0],
        "status": "finished",
        "corpus": "web",
        "corpus_uri": "s3://bucket/web",
        "config": json.dumps({"vocabulary": "captions", "segmenter": {"name": "clip"}}),
        "config_hash": "c0ffee",
        "weights": json.dumps({"clip": "ab" * 32}),
        "code_version": "0.1.0",
        "libraries": json.dumps({"torch": "2.9"}),
        "counts": json.dumps({"images": 3}),
        "started_at": _START + timedelta(days=day),
        "finished_at": _START + timedelta(days=day, seconds=2),
        "seconds": 2.0,
    }
    return catalog.publish(row | changes, run_id)


def rows(uri: str, sql: str) -> list[Row]:
    """Return what a statement finds in the newest version."""
    found: list[Row] = query(uri, sql).to_pylist()
    return found


def fill(catalog: Catalog) -> Catalog:
    """Publish all runs."""
    _publish_words(catalog)
    _publish_labels(catalog)
    corrected = [image("b", 1, "reviewed"), image("d", 2, "reviewed"), image("f", 0, "reviewed")]
    human = {"segmenter": "human"}
    drawn = [
        mask("b", "dog", (0, 0, 20, 20), 1.0, **human),
        mask("d", "cat", (0, 0, 30, 20), 1.0, **human),
        mask("d", "dog", (30, 0, 8, 8), 1.0, **human),
    ]
    publish(catalog, "review-1", 5, {"images": corrected, "masks": drawn}, weights="{}")
    publish(
        catalog, "label-failed", 6, {"images": [image("a", 0)]}, status="failed", reason="too many errors"
    )
    _publish_student(catalog)
    return catalog


def _publish_words(catalog: Catalog) -> None:
    captions = [
        caption("a", "a cat on a sofa", "cat", "sofa"),
        caption("b", "my dog", "dog"),
        caption("c", "so nice"),
        caption("d", "a dog and a cat", "dog", "cat"),
        caption("f", "a sofa", "sofa"),
    ]
    nouns = [("cat", 2, "kept"), ("dog", 2, "kept"), ("sofa", 2, "kept"), ("time", 9, "not_visual")]
    entities = [
        {
            "entity_set": "e",
            "entity": n,
            "count": c,
            "rank": i,
            "keep": r == "kept",
            "reason": r,
            "synonyms": [],
        }
        for i, (n, c, r) in enumerate(nouns, 1)
    ]
    publish(catalog, "filter-1", 1, {"captions": captions, "entities": entities})


def _publish_labels(catalog: Catalog) -> None:
    old = [mask("a", "cat", (0, 0, 30, 20), 0.4), mask("c", "dog", (5, 5, 40, 30), 0.6)]
    publish(catalog, "label-old", 2, {"images": [image("a", 1), image("c", 1)], "masks": old})
    found = [
        mask("a", "cat", (0, 0, 30, 30), 0.9),
        mask("a", "sofa", (30, 0, 30, 40), 0.8),
        mask("b", "cat", (0, 0, 20, 24), 0.3),
        mask("d", "cat", (0, 0, 30, 18), 0.55),
        mask("d", "dog", (0, 0, 30, 19), 0.5),
    ]
    images = [image("a", 2), image("b", 1), image("d", 2), image("f", 0)]
    images += [image("c", 0, "no_vocabulary"), image("e", 0, "duplicate_image", sha256="of a")]
    errors = [
        error("g", "truncated_image"),
        error("h", "truncated_image"),
        error(None, "unreadable_shard", "1"),
    ]
    tables = {"images": images, "masks": found, "errors": errors}
    publish(catalog, "label-new", 3, tables, parent_run_id="filter-1")
    books = {"corpus": "books", "image_id": image_id("books", "a")}
    pages = {"images": [image("a", 1, **books)], "masks": [mask("a", "cat", (1, 1, 9, 9), 0.7, **books)]}
    publish(catalog, "label-books", 4, pages, corpus="books", corpus_uri="s3://bucket/books")


def _publish_student(catalog: Catalog) -> None:
    learnt = {"catalog_version": 5, "label_run_id": "label-new", "classes": ["background", "cat"]}
    weights = {"weights_uri": "student.safetensors", "weights_sha256": "cd"}
    measured = {"images": 3, "steps": 20, "final_loss": 0.5, "seconds": 9.0}
    publish(
        catalog, "train-1", 7, {"students": [{"student_id": "student@1", **learnt, **weights, **measured}]}
    )
    classes = [{"label": "cat", "iou": 0.6, "intersection": 3, "union": 5}]
    judged = {"vocabulary": "demo", "vocabulary_hash": "h", "dataset_uri": "held-out", "images": 16}
    subject = {"subject": "student", "subject_id": "student@1", "protocol": "vocabulary"}
    quality = {"miou": 0.6, "pixel_accuracy": 0.9, "classes": classes}
    publish(catalog, "evaluate-1", 8, {"evaluations": [subject | judged | quality]})
