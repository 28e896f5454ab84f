"""The rows of a labelled shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from maskmill.schemas.errors import ErrorReason
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.samples import Shard, image_id
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.label_rows import DecodedImage, ShardRows, error_row

IMAGE = DecodedImage("k", np.zeros((4, 6, 3), np.uint8), "ab" * 32, 0.0)
WORDS = Vocabulary.of(["cat", "dog"])


def shard_rows(min_area: int = 1) -> ShardRows:
    return ShardRows("birds", Shard("00001", "file:///birds/00001.tar", "f"), "fake@1", min_area)


def label_map() -> LabelMap:
    labels = np.zeros((4, 6), np.uint16)
    labels[0, 0] = 1
    labels[2:] = 2
    return LabelMap(labels, np.full((4, 6), 0.25, np.float16), WORDS.names)


def test_a_labelled_image_has_a_row_and_one_per_label() -> None:
    rows = shard_rows()
    rows.labelled(IMAGE, WORDS, label_map())
    (image,) = rows.images
    assert (image["width"], image["height"], image["status"], image["masks"]) == (6, 4, "labelled", 2)
    assert image["vocabulary"] == ["cat", "dog"]
    assert image["image_id"] == image_id("birds", "k")
    assert [(row["label"], row["area"], row["segmenter"]) for row in rows.masks] == [
        ("cat", 1, "fake@1"),
        ("dog", 12, "fake@1"),
    ]


def test_small_masks_are_dropped() -> None:
    rows = shard_rows(min_area=2)
    rows.labelled(IMAGE, WORDS, label_map())
    assert [row["label"] for row in rows.masks] == ["dog"]
    assert rows.images[0]["masks"] == 1


def test_an_error_about_a_shard_has_no_key() -> None:
    row = error_row("label", "birds", "00001", None, ErrorReason.TRUNCATED_SHARD, "cut")
    assert (row["key"], row["image_id"], row["reason"]) == (None, None, "truncated_shard")


def test_files_are_named_by_the_shard_and_the_anchor_comes_last(tmp_path: Path) -> None:
    rows = shard_rows()
    rows.without_vocabulary(IMAGE)
    adds = rows.write(str(tmp_path), "r", {"images", "masks"})
    assert [(add.table, add.path, add.rows) for add in adds] == [
        ("masks", "run_id=r/00001.parquet", 0),
        ("images", "run_id=r/00001.parquet", 1),
    ]
    assert pq.read_table(tmp_path / "images" / adds[1].path)["status"].to_pylist() == ["no_vocabulary"]


def test_errors_are_written_where_there_are_any_or_were_before(tmp_path: Path) -> None:
    rows = shard_rows()
    assert [a.table for a in rows.write(str(tmp_path), "r", {"masks", "images", "errors"})] == [
        "masks",
        "errors",
        "images",
    ]
    rows.failed("k", ErrorReason.EMPTY_FILE, "0 bytes")
    assert "errors" in [a.table for a in rows.write(str(tmp_path), "r", {"masks", "images"})]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for folder in ("one", "two"):
        rows = shard_rows()
        rows.labelled(IMAGE, WORDS, label_map())
        adds = rows.write(str(tmp_path / folder), "r", {"masks", "images"})
        written.append([(tmp_path / folder / add.table / add.path).read_bytes() for add in adds])
    assert written[0] == written[1]
