from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exporting import ROTATED, SHARDS, disc, drawn_of
from pycocotools.coco import COCO
from torchvision.datasets import CocoDetection

from maskmill.catalogs.corpora import open_corpus
from maskmill.catalogs.exporters import ExportSummary
from maskmill.catalogs.ground_truth import CocoTruth
from maskmill.schemas.config import CorpusConfig

Export = Callable[..., ExportSummary]

# pycocotools 2.0 asks numpy for arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _coco(summary: ExportSummary, split: str = "train") -> COCO:
    return COCO(str(summary.out / "annotations" / f"instances_{split}.json"))


def test_pycocotools_reads_every_mask_as_it_was_drawn(exported: Export) -> None:
    coco = _coco(exported())
    names = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    assert names == {1: "cat", 2: "dog", 3: "tree"}
    assert sorted(coco.imgs) == [1, 2, 3, 4, 5]
    for image in coco.loadImgs(coco.getImgIds()):
        drawn = drawn_of(image["key"])
        assert (image["height"], image["width"]) == drawn.size
        found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        by_name = {names[a["category_id"]]: a for a in found}
        assert len(by_name) == len(found) == len(drawn.masks)
        for label, score, mask in drawn.masks:
            annotation = by_name[label]
            assert (coco.annToMask(annotation).astype(bool) == mask).all()
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == box
            assert (annotation["area"], annotation["iscrowd"]) == (mask.sum(), 0)
            assert annotation["score"] == pytest.approx(score)


def test_annotation_ids_have_no_gap_and_follow_the_images(exported: Export) -> None:
    coco = _coco(exported())
    annotations = coco.dataset["annotations"]
    assert [a["id"] for a in annotations] == list(range(1, 8))
    assert [a["image_id"] for a in annotations] == [1, 1, 3, 4, 4, 4, 5]


def test_torchvision_reads_the_images_beside_it(exported: Export) -> None:
    out = exported().out
    data = CocoDetection(str(out / "images" / "train"), str(out / "annotations" / "instances_train.json"))
    assert len(data) == 5
    for image, found in data:
        assert all(data.coco.annToMask(a).shape == image.size[::-1] for a in found)


def test_parts_can_be_told_apart_and_small_ones_left_out(exported: Export) -> None:
    coco = _coco(exported(components=True, min_area=40))
    image = next(i for i in coco.imgs.values() if i["key"] == "1000")
    found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"], catIds=[1]))
    parts = [coco.annToMask(a).astype(bool) for a in found]
    assert len(parts) == 2
    assert (parts[0] == disc(24, 24, 18)).all()
    assert (parts[1] == disc(100, 70, 20)).all()
    assert [a["bbox"] for a in found] == [[6, 6, 36, 36], [80, 50, 40, 40]]
    assert not coco.getAnnIds(imgIds=image["id"], catIds=[2])  # a disc of 28 pixels


def test_images_that_are_held_out_have_a_json_of_their_own(exported: Export) -> None:
    summary = exported(val_share=0.5, seed=3)
    parts = [_coco(summary, split) for split in ("train", "val")]
    keys = [{i["key"] for i in part.imgs.values()} for part in parts]
    assert keys[0] and keys[1] and not keys[0] & keys[1]
    assert keys[0] | keys[1] == {key for shard in SHARDS.values() for key in shard}
    assert sum(len(part.anns) for part in parts) == 7
    for part, split in zip(parts, ("train", "val"), strict=True):
        assert all((summary.out / "images" / split / i["file_name"]).is_file() for i in part.imgs.values())


def test_without_images_the_names_are_those_of_the_corpus(
    exported: Export, corpus: Path, tmp_path: Path
) -> None:
    corpus.rename(tmp_path / "gone")
    summary = exported(images="none", image_prefix="https://x/", image_suffix=".jpg")
    names = {i["file_name"] for i in _coco(summary).imgs.values()}
    assert "https://x/0000.jpg" in names
    assert f"https://x/{ROTATED}.jpg" in names
    assert not (summary.out / "images").exists()


def test_the_json_says_where_it_comes_from(exported: Export) -> None:
    body = json.loads((exported().out / "annotations" / "instances_train.json").read_text("utf-8"))
    assert body["info"]["run_id"] == "label-1"
    assert body["info"]["version"] == 1


def test_maskmill_reads_it_back_as_a_corpus_and_as_ground_truth(exported: Export) -> None:
    out = exported().out
    config = CorpusConfig(
        uri=str(out / "annotations" / "instances_train.json"), images=str(out / "images" / "train")
    )
    reader = open_corpus(config)
    keys = [sample.key for shard in reader.shards() for sample in reader.read(shard)]
    assert len(keys) == 5
    labels = CocoTruth(config.uri).labels("00002/2000")
    assert ((labels == 2) == disc(64, 48, 30)).all()
