"""Corrections that come back into a small labelled catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corrections import SIZE, exported, polygon, reasons, rows, taken
from PIL import Image
from tiny import red_rectangle

from maskmill.catalogs.files import read_files
from maskmill.catalogs.rle import decode_mask
from maskmill.catalogs.store import Catalog
from maskmill.tasks.review_import import ReviewConfig, review_import
from maskmill.tasks.runs import RunSummary


def test_an_export_comes_back_and_its_changes_with_it(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    body["annotations"] = [a for a in body["annotations"] if a["image_id"] not in (0, 1)]
    body["annotations"].append(polygon(1))
    before = Catalog.open(labelled).all_files(1)
    run = taken(labelled, body, tmp_path, annotator="Ada")
    assert (run.kind, run.resumed, run.corpus) == ("review", False, "val")
    assert run.counts == {"images": 6, "masks": 5, "labels": 1, "errors": 0, "unreviewed": 0}
    images = {row["key"]: row for row in rows(labelled, "images", run.run_id)}
    assert {(row["status"], row["annotator"]) for row in images.values()} == {("reviewed", "Ada")}
    assert [images[key]["masks"] for key in sorted(images)] == [0, 1, 1, 1, 1, 1]
    masks = {row["key"]: row for row in rows(labelled, "masks", run.run_id)}
    assert "0000" not in masks
    assert {(m["segmenter"], m["label_kind"], m["score"], m["entropy"]) for m in masks.values()} == {
        ("human", "vocabulary", 1.0, None)
    }
    drawn = decode_mask(masks["0001"]["rle"], *SIZE)
    assert drawn[5:12, 5:20].all()
    assert drawn.sum() == pytest.approx(8 * 16, abs=30)
    truth = red_rectangle(2)[1] == 1
    assert np.array_equal(decode_mask(masks["0002"]["rle"], *SIZE), truth)
    assert Catalog.open(labelled).all_files(1) == before


def test_images_keep_their_identity_and_their_shard(labelled: str, tmp_path: Path) -> None:
    (label,) = (run["run_id"] for run in Catalog.open(labelled).runs())
    run = taken(labelled, exported(labelled), tmp_path)
    columns = ("image_id", "corpus", "key", "shard_id", "shard_uri", "width", "height", "sha256")

    def identities(run_id: str) -> set[tuple[Any, ...]]:
        return {tuple(row[c] for c in columns) for row in rows(labelled, "images", run_id)}

    assert identities(run.run_id) == identities(label)
    stems = Catalog.open(labelled).committed("images", run.run_id)
    assert stems == Catalog.open(labelled).committed("images", label) == {"00000", "00001"}


def test_the_run_says_where_it_comes_from(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    body["images"][0]["annotator"] = "Grace"
    run = taken(labelled, body, tmp_path, annotator="Ada")
    row = Catalog.open(labelled).run(run.run_id)
    label = Catalog.open(labelled).newest_run("label", 1)
    assert row is not None
    assert row["config"]["source"] == str(tmp_path / "review.json")
    assert len(row["config"]["sha256"]) == 64
    assert row["config"]["annotators"] == ["Ada", "Grace"]
    assert row["parent_run_id"] == label["run_id"]
    assert (row["corpus_uri"], row["corpus_config"]) == (label["corpus_uri"], label["corpus_config"])


def test_new_labels_and_overlaps_are_taken_where_that_is_wanted(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    body["categories"].append({"id": 2, "name": "gazebo"})
    body["annotations"].append(polygon(0, 2, [[0.0, 0.0, 48.0, 0.0, 48.0, 40.0, 0.0, 40.0]]))
    run = taken(labelled, body, tmp_path, new_labels=True, overlap="smaller")
    assert run.counts["errors"] == 0
    masks = {m["label"]: decode_mask(m["rle"], *SIZE) for m in _of(labelled, run, "0000")}
    house = red_rectangle(0)[1] == 1
    (label,) = masks.keys() - {"gazebo"}
    assert np.array_equal(masks[label], house)
    assert np.array_equal(masks["gazebo"], ~house)
    body["annotations"].pop(0)
    assert taken(labelled, body, tmp_path).counts["errors"] == 0  # gazebo is known by now


def _of(catalog: str, run: RunSummary, key: str) -> list[dict[str, Any]]:
    return [row for row in rows(catalog, "masks", run.run_id) if row["key"] == key]


def test_regions_of_one_label_and_crowds_are_one_mask(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    counts = [40 * 10, 40 * 10, 40 * 28]
    crowd = {"id": 5, "image_id": 0, "category_id": 1, "iscrowd": 1}
    crowd["segmentation"] = {"size": list(SIZE), "counts": counts}
    body["annotations"] = [polygon(0), crowd]
    run = taken(labelled, body, tmp_path)
    (mask,) = rows(labelled, "masks", run.run_id)
    assert decode_mask(mask["rle"], *SIZE)[:, 10:20].all()
    assert mask["area"] > 400


def test_label_studio_tasks_come_back(labelled: str, tmp_path: Path) -> None:
    where = {"x": 25, "y": 25, "width": 50, "height": 50, "rotation": 0}
    result = {"id": "a", "type": "rectanglelabels", "original_width": 48, "original_height": 40}
    (label,) = {
        mask["label"] for mask in read_files("masks", Catalog.open(labelled).files("masks")).to_pylist()
    }
    result["value"] = where | {"rectanglelabels": [label]}
    done = {"completed_by": {"email": "ada@example.org"}, "result": [result]}
    tasks = [
        {"data": {"image": "/data/upload/3/0a1b2c3d-0003.jpg"}, "annotations": [done]},
        {"data": {"image": "0004.jpg"}, "annotations": [done, done]},
        {"data": {"image": "0005.jpg"}, "annotations": []},
    ]
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks))
    run = review_import(labelled, str(path), ReviewConfig(format="labelstudio"))
    assert run.counts == {"images": 1, "masks": 1, "labels": 1, "errors": 1, "unreviewed": 1}
    (image,) = rows(labelled, "images", run.run_id)
    assert (image["key"], image["annotator"]) == ("0003", "ada@example.org")
    (mask,) = rows(labelled, "masks", run.run_id)
    assert decode_mask(mask["rle"], *SIZE)[10:30, 12:36].all()
    assert reasons(labelled, run.run_id) == [("0004.jpg", "several_reviews")]


def test_index_pngs_come_back(labelled: str, tmp_path: Path) -> None:
    (label,) = {
        mask["label"] for mask in read_files("masks", Catalog.open(labelled).files("masks")).to_pylist()
    }
    folder = tmp_path / "work" / "annotations"
    folder.mkdir(parents=True)
    (tmp_path / "work" / "labels.txt").write_text(f"background\n{label}\n")
    ids = np.zeros(SIZE, np.uint8)
    ids[3:9, 5:11] = 1
    Image.fromarray(ids).save(folder / "0002.png")
    ids[0] = 255
    Image.fromarray(ids).save(folder / "0003.png")
    config = ReviewConfig(format="index-png")
    run = review_import(labelled, str(tmp_path / "work"), config)
    assert (run.counts["images"], run.counts["masks"]) == (1, 1)
    assert reasons(labelled, run.run_id) == [("0003", "undecided")]
    (mask,) = rows(labelled, "masks", run.run_id)
    assert np.array_equal(decode_mask(mask["rle"], *SIZE), ids == 1)
    kept = review_import(
        labelled, str(tmp_path / "work"), config.model_copy(update={"undecided": "background"})
    )
    assert (kept.counts["images"], kept.counts["errors"]) == (2, 0)
