"""Corrections that come back into a small labelled catalog."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import INLINE, RedSegmenter, label_corpus, red_rectangle, write_corpus

from maskmill.catalogs.files import read_files, write_rows
from maskmill.catalogs.rle import decode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, LabelConfig
from maskmill.schemas.errors import CatalogError, ConfigError, CorpusError, StageError
from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks.label import label_run
from maskmill.tasks.review_import import ReviewConfig, review_import
from maskmill.tasks.runs import RunSummary

Body = dict[str, Any]
Change = Callable[[Body], None]
SIZE = (40, 48)
OTHER = load_vocabulary("demo").names[2]  # a label that the segmenter was asked for and never gave
BOX = [[4.0, 4.0, 20.0, 4.0, 20.0, 12.0, 4.0, 12.0]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with one label run of six images in two shards, each with a mask; not to be changed."""
    folder = tmp_path_factory.mktemp("original")
    label_corpus(write_corpus(folder / "corpus", 6), folder / "catalog")
    return folder / "catalog"


@pytest.fixture
def labelled(original: Path, tmp_path: Path) -> str:
    """A copy of it."""
    return str(shutil.copytree(original, tmp_path / "catalog"))


def exported(catalog: str) -> Body:
    """Write down by hand what a catalog holds, in COCO's words."""
    opened = Catalog.open(catalog)
    masks = read_files("masks", opened.files("masks")).to_pylist()
    labels = sorted({mask["label"] for mask in masks})
    keys = sorted({mask["key"] for mask in masks})
    return {
        "images": [
            {"id": i, "file_name": f"images/{key}.jpg", "width": SIZE[1], "height": SIZE[0]}
            for i, key in enumerate(keys)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(labels, 1)],
        "annotations": [
            {
                "id": number,
                "image_id": keys.index(mask["key"]),
                "category_id": labels.index(mask["label"]) + 1,
                "segmentation": {"size": list(SIZE), "counts": mask["rle"].decode()},
                "iscrowd": 0,
            }
            for number, mask in enumerate(masks)
        ],
    }


def polygon(image: int, category: int = 1, points: Any = BOX) -> Body:
    return {"id": 99, "image_id": image, "category_id": category, "segmentation": points, "iscrowd": 0}


def taken(catalog: str, body: Body, tmp_path: Path, **fields: Any) -> RunSummary:
    path = tmp_path / "review.json"
    path.write_text(json.dumps(body))
    return review_import(catalog, str(path), ReviewConfig(**fields))


def rows(catalog: str, table: str, run_id: str) -> list[dict[str, Any]]:
    return list(read_files(table, Catalog.open(catalog).run_files(table, run_id)).to_pylist())


def reasons(catalog: str, run_id: str) -> list[tuple[str | None, str]]:
    return sorted((row["key"], row["reason"]) for row in rows(catalog, "errors", run_id))


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


def test_the_same_file_again_does_nothing(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    first = taken(labelled, body, tmp_path)
    again = taken(labelled, body, tmp_path)
    assert (again.resumed, again.run_id, again.version) == (True, first.run_id, first.version)
    assert again.counts == first.counts
    body["annotations"].pop()
    assert taken(labelled, body, tmp_path).run_id != first.run_id


def test_a_file_is_taken_again_under_another_run_id(labelled: str, tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text(json.dumps(exported(labelled)))
    config = ReviewConfig()
    ids = [review_import(labelled, str(path), config, run_id).run_id for run_id in (None, "second", "second")]
    assert ids[1:] == ["second", "second"]
    assert len(Catalog.open(labelled).runs()) == 3
    with pytest.raises(ConfigError, match="another configuration"):
        review_import(labelled, str(path), ReviewConfig(overlap="smaller"), "second")


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


def test_a_label_that_smaller_ones_cover_is_not_lost_silently(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    body["categories"].append({"id": 2, "name": OTHER})
    halves = ([0.0, 0.0, 10.0, 0.0, 10.0, 40.0, 0.0, 40.0], [10.0, 0.0, 48.0, 0.0, 48.0, 40.0, 10.0, 40.0])
    body["annotations"] = [polygon(0, 1, [half]) for half in halves]
    body["annotations"].append(polygon(0, 2, list(halves)))
    run = taken(labelled, body, tmp_path, overlap="smaller")
    assert reasons(labelled, run.run_id) == [("0000", "overlap")]


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


def test_what_an_interrupted_import_left_behind_is_made_good(
    labelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> int:
        raise KeyboardInterrupt

    body = exported(labelled)
    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            taken(labelled, body, tmp_path)
    assert len(Catalog.open(labelled).runs()) == 1
    run = taken(labelled, body, tmp_path)
    assert (run.resumed, run.counts["images"], run.counts["masks"]) == (False, 6, 6)
    assert len(rows(labelled, "images", run.run_id)) == 6


def test_shards_that_an_interrupted_import_of_another_state_committed_are_emptied(
    labelled: str, tmp_path: Path
) -> None:
    catalog = Catalog.open(labelled)
    (image, *_) = read_files("images", catalog.files("images")).to_pylist()
    del image["run_id"]
    catalog.commit([write_rows(labelled, "images", "mine", "99999", [image])])
    path = tmp_path / "review.json"
    path.write_text(json.dumps(exported(labelled)))
    run = review_import(labelled, str(path), ReviewConfig(), "mine")
    assert catalog.committed("images", "mine") == {"00000", "00001", "99999"}
    assert len(rows(labelled, "images", "mine")) == run.counts["images"] == 6


def test_a_label_run_and_an_import_at_once_lose_nothing(labelled: str, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", 4)
    corpus = CorpusConfig(uri=other.uri, name="other")

    def label() -> RunSummary:
        config = LabelConfig(vocabulary="demo", pool=INLINE)
        return label_run(corpus, labelled, config, segmenter_factory=RedSegmenter)

    with ThreadPoolExecutor(2) as threads:
        labelling = threads.submit(label)
        importing = threads.submit(taken, labelled, exported(labelled), tmp_path)
        runs = [labelling.result(), importing.result()]
    shown = read_files("images", Catalog.open(labelled).files("images")).to_pylist()
    assert {run.run_id for run in runs} < {row["run_id"] for row in shown}
    assert len(shown) == 6 + 4 + 6


def test_two_imports_of_one_file_at_once_are_one_run(labelled: str, tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text(json.dumps(exported(labelled)))
    with ThreadPoolExecutor(2) as threads:
        ids = {
            run.run_id
            for run in threads.map(lambda _: review_import(labelled, str(path), ReviewConfig()), range(2))
        }
    assert len(ids) == 1
    assert len(rows(labelled, "masks", ids.pop())) == 6


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
