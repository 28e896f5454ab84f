from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from maskmill.catalogs.demo import draw_scene, write_demo_corpus
from maskmill.catalogs.ground_truth import CocoTruth, DemoTruth, IndexPngs, open_ground_truth
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.labelmap import IGNORE


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    write_demo_corpus(root, seed=3, images=1, val_images=2, workers=1)
    return root


def test_a_demo_corpus_means_its_held_out_split(demo: Path) -> None:
    corpus, truth = open_ground_truth(CorpusConfig(uri=str(demo)))
    assert corpus.uri == str(demo / "val")
    assert truth == DemoTruth(str(demo), "val")
    assert open_ground_truth(CorpusConfig(uri=str(demo / "train")))[1] == DemoTruth(str(demo), "train")


def test_demo_labels_are_those_of_the_drawn_scene(demo: Path) -> None:
    truth = DemoTruth(str(demo), "val")
    scene = draw_scene(np.random.default_rng([3, 1, 0]))
    labels = truth.labels("000010000")
    assert labels.dtype == np.uint16
    assert np.array_equal(labels, scene.labels)
    assert truth.names()[0] == "background"
    assert {truth.names()[i] for i in np.unique(labels) if i} == set(scene.things)


def test_a_demo_image_that_is_not_there_is_named(demo: Path) -> None:
    with pytest.raises(CorpusError, match="no ground truth for image 'x'"):
        DemoTruth(str(demo), "val").labels("x")


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


def _pngs(folder: Path, ids: np.ndarray, classes: Any = None) -> IndexPngs:
    folder.mkdir(exist_ok=True)
    named = [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}] if classes is None else classes
    (folder / "classes.json").write_text(json.dumps(named))
    Image.fromarray(ids).save(folder / "a.png")
    return IndexPngs(str(folder))


def test_eight_bit_pngs_ignore_255_and_sixteen_bit_ones_65535(tmp_path: Path) -> None:
    small = _pngs(tmp_path / "8", np.array([[0, 1, 255]], np.uint8))
    large = _pngs(tmp_path / "16", np.array([[0, 255, 65535]], np.uint16))
    assert small.names() == ("background", "cat")
    assert small.labels("a").tolist() == [[0, 1, IGNORE]]
    assert large.labels("a").tolist() == [[0, 255, IGNORE]]


def test_a_folder_goes_before_what_the_corpus_holds(demo: Path, tmp_path: Path) -> None:
    corpus = CorpusConfig(uri=str(demo))
    assert open_ground_truth(corpus, str(tmp_path)) == (corpus, IndexPngs(str(tmp_path)))


def test_a_colour_png_is_no_index_map(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no index PNG"):
        _pngs(tmp_path, np.zeros((2, 2, 3), np.uint8)).labels("a")


def test_a_missing_or_broken_png_is_named(tmp_path: Path) -> None:
    truth = _pngs(tmp_path, np.zeros((2, 2), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no png")
    for key in ("nowhere", "broken"):
        with pytest.raises(CorpusError, match=f"image '{key}' cannot be read"):
            truth.labels(key)


@pytest.mark.parametrize("classes", [[{"id": 1, "name": "cat"}], [{"name": "cat"}], {"0": "background"}, []])
def test_classes_that_do_not_count_from_zero_are_refused(tmp_path: Path, classes: Any) -> None:
    with pytest.raises(CorpusError, match=r"class"):
        _pngs(tmp_path, np.zeros((2, 2), np.uint8), classes).names()


def test_a_corpus_without_ground_truth_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="folder of index PNGs"):
        open_ground_truth(CorpusConfig(uri=str(tmp_path)))


@pytest.mark.realdata
def test_coco_photographs_agree_with_their_index_maps() -> None:
    default = Path(__file__).parents[2] / "../shared/data"
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
