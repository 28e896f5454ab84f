"""Corrections that cannot be taken: of one image, and of a whole file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from corrections import Body, exported, polygon, reasons, rows, taken
from tiny import label_corpus, write_corpus

from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError, ConfigError, CorpusError, StageError
from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks.review_import import ReviewConfig, review_import

Change = Callable[[Body], None]
OTHER = load_vocabulary("demo").names[2]  # a label that the segmenter was asked for and never gave


def _rename(body: Body) -> None:
    body["images"][0]["file_name"] = "elsewhere.jpg"


def _shrink(body: Body) -> None:
    body["images"][0]["width"] = 47


def _unlisted(body: Body) -> None:
    body["annotations"][0]["category_id"] = 7


def _new_label(body: Body) -> None:
    body["categories"].append({"id": 2, "name": "gazebo"})
    body["annotations"][0]["category_id"] = 2


def _twice(body: Body) -> None:
    body["images"][0]["file_name"] = "0001.png"


def _boxes_only(body: Body) -> None:
    del body["annotations"][0]["segmentation"]


def _damage(body: Body) -> None:
    body["annotations"][0]["segmentation"]["counts"] = "11"


def _other_size(body: Body) -> None:
    body["annotations"][0]["segmentation"]["size"] = [48, 40]


def _nothing_drawn(body: Body) -> None:
    body["annotations"].append(polygon(0, 1, [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]))


def _overlap(body: Body) -> None:
    body["categories"].append({"id": 2, "name": OTHER})
    body["annotations"].append(polygon(0, 2, [[0.0, 0.0, 48.0, 0.0, 48.0, 40.0, 0.0, 40.0]]))


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        (_rename, "elsewhere.jpg", "unknown_image"),
        (_shrink, "0000", "wrong_size"),
        (_unlisted, "0000", "unknown_label"),
        (_new_label, "0000", "new_label"),
        (_twice, "0001", "repeated_image"),
        (_boxes_only, "0000", "bad_region"),
        (_damage, "0000", "bad_region"),
        (_other_size, "0000", "bad_region"),
        (_nothing_drawn, "0000", "bad_region"),
        (_overlap, "0000", "overlap"),
    ],
)
def test_what_cannot_be_taken_is_an_error_and_the_rest_is_taken(
    labelled: str, tmp_path: Path, change: Change, key: str, reason: str
) -> None:
    body = exported(labelled)
    body["annotations"].sort(key=lambda a: a["image_id"])
    change(body)
    run = taken(labelled, body, tmp_path)
    assert reasons(labelled, run.run_id) == [(key, reason)]
    assert (run.counts["images"], run.counts["masks"], run.counts["errors"]) == (5, 5, 1)
    (error,) = rows(labelled, "errors", run.run_id)
    assert (error["stage"], error["corpus"]) == ("review", "val")
    assert (error["image_id"] is None) == (reason == "unknown_image")


def test_every_fault_of_an_image_has_a_row(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    body["annotations"].sort(key=lambda a: a["image_id"])
    _unlisted(body)
    body["annotations"].append(polygon(0, 1, [[1, 2, 3]]))
    run = taken(labelled, body, tmp_path)
    assert reasons(labelled, run.run_id) == [("0000", "bad_region"), ("0000", "unknown_label")]


def test_a_label_that_smaller_ones_cover_is_not_lost_silently(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    body["categories"].append({"id": 2, "name": OTHER})
    halves = ([0.0, 0.0, 10.0, 0.0, 10.0, 40.0, 0.0, 40.0], [10.0, 0.0, 48.0, 0.0, 48.0, 40.0, 10.0, 40.0])
    body["annotations"] = [polygon(0, 1, [half]) for half in halves]
    body["annotations"].append(polygon(0, 2, list(halves)))
    run = taken(labelled, body, tmp_path, overlap="smaller")
    assert reasons(labelled, run.run_id) == [("0000", "overlap")]


def test_nothing_that_can_be_taken_fails_and_shows_no_masks(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    for image in body["images"]:
        image["width"] = 1
    with pytest.raises(
        StageError, match=r"no image could be taken: wrong_size \(6\); the first: drawn on 1 x"
    ):
        taken(labelled, body, tmp_path)
    failed = Catalog.open(labelled).runs()[-1]
    assert (failed["kind"], failed["status"], failed["counts"]["errors"]) == ("review", "failed", 6)
    with pytest.raises(StageError):
        taken(labelled, body, tmp_path)


def test_the_corpus_must_be_clear(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    with pytest.raises(CatalogError, match=r"no finished label run of corpus 'birds'; it has: val"):
        taken(labelled, body, tmp_path, corpus="birds")
    other = write_corpus(tmp_path / "other", 2)
    label_corpus(CorpusConfig(uri=other.uri, name="other"), Path(labelled))
    with pytest.raises(ConfigError, match="several corpora, name one: other, val"):
        taken(labelled, body, tmp_path)
    assert taken(labelled, body, tmp_path, corpus="val").counts["images"] == 6


def test_a_file_that_nobody_has_worked_on_is_refused(labelled: str, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{"data": {"image": "0000.jpg"}, "annotations": []}]))
    with pytest.raises(CorpusError, match="no image that somebody has looked at"):
        review_import(labelled, str(path), ReviewConfig(format="labelstudio"))
    assert len(Catalog.open(labelled).runs()) == 1
