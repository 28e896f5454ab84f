from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from maskmill.catalogs.ground_truth import CocoTruth
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.labelmap import IGNORE


def _coco(path: Path, annotations: list[dict[str, Any]]) -> CocoTruth:
    body = {
        "images": [{"id": 5, "file_name": "sub/a.jpg", "width": 10, "height": 8}],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [{"image_id": 5, "iscrowd": 0, **a} for a in annotations],
    }
    path.write_text(json.dumps(body))
    return CocoTruth(str(path))


def _square(left: int, top: int, side: int) -> list[list[int]]:
    return [[left, top, left + side, top, left + side, top + side, left, top + side]]


def test_coco_ids_follow_the_category_ids_and_small_things_lie_on_top(tmp_path: Path) -> None:
    small = {"category_id": 3, "area": 4, "segmentation": _square(2, 2, 2)}
    large = {"category_id": 7, "area": 36, "segmentation": _square(0, 0, 6)}
    for i, order in enumerate(([small, large], [large, small])):
        truth = _coco(tmp_path / f"{i}.json", order)
        labels = truth.labels("sub/a")
        expected = np.zeros((8, 10), np.uint16)
        expected[:6, :6] = 2
        expected[2:4, 2:4] = 1
        assert truth.names() == ("background", "cat", "dog")
        assert np.array_equal(labels, expected)


def test_coco_crowds_are_not_judged_but_things_in_them_are(tmp_path: Path) -> None:
    crowd = np.zeros((8, 10), np.uint8)
    crowd[:, 5:] = 1
    counts = coco_mask.encode(np.asfortranarray(crowd))["counts"].decode()
    annotations = [
        {"category_id": 3, "area": 4, "segmentation": _square(6, 2, 2)},
        {"category_id": 3, "area": 40, "iscrowd": 1, "segmentation": {"size": [8, 10], "counts": counts}},
    ]
    labels = _coco(tmp_path / "c.json", annotations).labels("sub/a")
    assert (labels[2:4, 6:8] == 1).all()
    assert (labels == IGNORE).sum() == 40 - 4
    assert not labels[:, :5].any()


def test_coco_uncompressed_runs_are_read(tmp_path: Path) -> None:
    segmentation = {"size": [8, 10], "counts": [0, 8, 72]}
    truth = _coco(tmp_path / "u.json", [{"category_id": 3, "area": 8, "segmentation": segmentation}])
    assert (truth.labels("sub/a")[:, 0] == 1).all()
    assert truth.labels("sub/a").sum() == 8


@pytest.mark.parametrize("segmentation", [{"size": [8, 10], "counts": [0, 8]}, {"size": [8, 10]}, 5])
def test_a_damaged_segment_is_an_error_of_the_image(tmp_path: Path, segmentation: Any) -> None:
    truth = _coco(tmp_path / "d.json", [{"category_id": 3, "area": 8, "segmentation": segmentation}])
    with pytest.raises(CorpusError, match="ground truth of image 'sub/a' cannot be read"):
        truth.labels("sub/a")


@pytest.mark.parametrize("text", ["[]", "{}", "not json", '{"images": []}'])
def test_a_json_without_instances_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match="holds no COCO instances"):
        CocoTruth(str(path)).names()


def test_coco_needs_the_image(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="has no image 'b'"):
        _coco(tmp_path / "c.json", []).labels("b")


@pytest.mark.realdata
def test_coco_photographs_agree_with_their_index_maps() -> None:
    default = Path(__file__).parents[3] / "../shared/data"
    root = Path(os.environ.get("MASKMILL_REALDATA", default)) / "coco_photos"
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set MASKMILL_REALDATA")
    path = root / "instances_and_captions.json"
    body = json.loads(path.read_text())
    truth, coco_ids = CocoTruth(str(path)), [0, *sorted(c["id"] for c in body["categories"])]
    agreement = []
    for image in body["images"][:40]:
        key = Path(image["file_name"]).stem
        labels, theirs = truth.labels(key), np.asarray(Image.open(root / "masks" / f"{key}.png"))
        mine = np.array([*coco_ids, 255])[np.where(labels == IGNORE, len(coco_ids), labels)]
        agreement.append((mine == theirs).mean())
    assert np.mean(agreement) > 0.98


def test_first_come_painting_keeps_the_first_class_and_takes_crowds_for_things(tmp_path: Path) -> None:
    crowd = {"size": [8, 10], "counts": [0, 40, 40]}
    annotations = [
        {"category_id": 7, "area": 36, "segmentation": _square(0, 0, 6)},
        {"category_id": 3, "area": 4, "segmentation": _square(2, 2, 2)},
        {"category_id": 3, "area": 40, "iscrowd": 1, "segmentation": crowd},
    ]
    truth = CocoTruth(_coco(tmp_path / "f.json", annotations).uri, first_come=True)
    expected = np.zeros((8, 10), np.uint16)
    for mask, label in (
        (np.indices((8, 10)).max(0) < 6, 2),
        (np.indices((8, 10))[1] < 5, 1),
    ):
        expected[mask & (expected == 0)] = label
    assert np.array_equal(truth.labels("sub/a"), expected)
