from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import scipy.io
from datasets_on_disk import VOC_MAP, write_image, write_list, write_png, write_voc
from PIL import Image

from maskmill.catalogs.ground_truth import FolderDataset, open_dataset
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.labelmap import IGNORE
from maskmill.schemas.samples import Sample, Shard


def _open(layout: str, path: Path, **changes: Any) -> FolderDataset:
    dataset = open_dataset(CorpusConfig(uri=f"{layout}:{path}", **changes)).reader
    assert isinstance(dataset, FolderDataset)
    return dataset


def _keys(dataset: FolderDataset) -> list[str]:
    samples = [sample for shard in dataset.shards() for sample in dataset.read(shard)]
    assert all(
        isinstance(sample, Sample) and sample.image[:2] in (b"\xff\xd8", b"\x89P") for sample in samples
    )
    return [str(sample.key) for sample in samples]


def _named(dataset: FolderDataset, key: str) -> list[list[str | None]]:
    """Return a map with names in place of ids, None for what is not judged."""
    names = dataset.names()
    return [[None if i == IGNORE else names[i] for i in row] for row in dataset.labels(key).tolist()]


def test_voc_is_read_in_the_order_of_its_list(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOCdevkit" / "VOC2012", {"2007_b": VOC_MAP, "2007_a": VOC_MAP * 0})
    for given in (root, tmp_path / "VOCdevkit", tmp_path):
        dataset = _open("voc", given)
        assert _keys(dataset) == ["2007_b", "2007_a"]
        assert _named(dataset, "2007_b") == [
            ["background", "aeroplane", "tvmonitor"],
            [None, "person", "background"],
        ]
    assert _named(_open("voc20", root), "2007_b")[0][1] == "aeroplane"


def test_a_limit_cuts_and_shards_follow_the_files(tmp_path: Path) -> None:
    root = write_voc(tmp_path, {f"k{i}": VOC_MAP for i in range(5)})
    assert _keys(_open("voc", root, limit=3)) == ["k0", "k1", "k2"]
    dataset = FolderDataset("voc", str(root), shard_size=2)
    shards = dataset.shards()
    assert [(s.first, s.last) for s in shards] == [(0, 2), (2, 4), (4, 5)]
    assert len({s.fingerprint for s in shards}) == 3
    assert dataset.shards() == shards
    with pytest.raises(CorpusError, match="has changed"):
        list(dataset.read(Shard("0", str(root), "other", 0, 3)))


def test_captions_are_rows_without_captions(tmp_path: Path) -> None:
    dataset = _open("voc", write_voc(tmp_path, {"k": VOC_MAP}))
    shard = dataset.shards()[0]
    (plain,), (full,) = (list(dataset.captions(shard, content)) for content in (False, True))
    assert plain.to_pylist() == [{"key": "k", "captions": [], "digest": None, "width": None, "height": None}]
    assert (full.to_pylist()[0]["width"], full.to_pylist()[0]["height"]) == (3, 2)


def test_context_is_read_as_index_pngs_and_as_mat_files(tmp_path: Path) -> None:
    write_image(tmp_path / "JPEGImages" / "x.jpg", 1, 4)
    write_list(tmp_path / "ImageSets" / "SegmentationContext" / "val.txt", ["x"])
    write_png(tmp_path / "SegmentationClassContext" / "x.png", [[0, 1, 59, 255]])
    (tmp_path / "trainval").mkdir()
    labels = np.array([[0, 1, 2, 459]], np.uint16)
    scipy.io.savemat(tmp_path / "trainval" / "x.mat", {"LabelMap": labels})
    for layout in ("context60", "context59"):
        assert _named(_open(layout, tmp_path), "x") == [["background", "aeroplane", "wood", None]]
    assert _named(_open("context459", tmp_path), "x") == [["background", "accordion", "aeroplane", "wool"]]


@pytest.mark.parametrize("damage", [b"no mat", None])
def test_a_mat_file_without_a_label_map_is_an_error_of_the_image(
    tmp_path: Path, damage: bytes | None
) -> None:
    write_image(tmp_path / "JPEGImages" / "x.jpg", 1, 4)
    write_list(tmp_path / "ImageSets" / "SegmentationContext" / "val.txt", ["x"])
    (tmp_path / "trainval").mkdir()
    scipy.io.savemat(tmp_path / "trainval" / "x.mat", {"Other": np.zeros((1, 4))})
    if damage is not None:
        (tmp_path / "trainval" / "x.mat").write_bytes(damage)
    with pytest.raises(CorpusError, match="ground truth of image 'x' cannot be read"):
        _open("context459", tmp_path).labels("x")


def test_coco_maps_of_stuff_and_things(tmp_path: Path) -> None:
    # Pixels are category ids less one: person 1, fire hydrant 11, stop sign 13, toothbrush 90, banner 92,
    # wood 182; 255 is unlabelled.
    ids = [[0, 10, 12, 89, 91, 181, 255]]
    write_image(tmp_path / "val2017" / "000000000139.jpg", 1, 7)
    write_png(tmp_path / "stuffthingmaps" / "val2017" / "000000000139.png", ids)
    write_png(tmp_path / "stuffthingmaps" / "val2017" / "000000000139_labelTrainIds.png", ids)
    things = ["person", "fire hydrant", "stop sign", "toothbrush"]
    stuff, objects = _open("coco-stuff", tmp_path), _open("coco-object", tmp_path)
    assert _keys(stuff) == ["000000000139"]
    assert _named(stuff, "000000000139") == [[*things, "banner", "wood", None]]
    assert _named(objects, "000000000139") == [[*things, "background", "background", "background"]]


def test_ade20k_reduces_nothing_itself(tmp_path: Path) -> None:
    root = tmp_path / "ADEChallengeData2016"
    write_image(root / "images" / "validation" / "ADE_val_00000001.jpg", 1, 3)
    write_png(root / "annotations" / "validation" / "ADE_val_00000001.png", [[0, 1, 150]])
    dataset = _open("ade20k", tmp_path)
    assert _keys(dataset) == ["ADE_val_00000001"]
    assert _named(dataset, "ADE_val_00000001") == [["background", "wall", "flag"]]


def test_cityscapes_label_ids_become_training_ids(tmp_path: Path) -> None:
    image = tmp_path / "leftImg8bit" / "val" / "bonn" / "bonn_0_1_leftImg8bit.png"
    write_image(image, 1, 5)
    truth = tmp_path / "gtFine" / "val" / "bonn"
    write_png(truth / "bonn_0_1_gtFine_labelIds.png", [[0, 7, 33, 29, 255]])
    write_png(truth / "bonn_0_1_gtFine_labelTrainIds.png", [[255, 0, 18, 255, 255]])
    dataset = _open("cityscapes", tmp_path)
    assert _keys(dataset) == ["bonn/bonn_0_1"]
    assert _named(dataset, "bonn/bonn_0_1") == [[None, "road", "bicycle", None, None]]


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("voc", r"no ImageSets/Segmentation/val.txt; expected\nVOC2012/\n  JPEGImages"),
        ("context60", r"no ImageSets/SegmentationContext/val.txt; expected\nVOC2010/"),
        ("context459", r"no ImageSets/SegmentationContext/val.txt; expected\nVOC2010/"),
        ("coco-object", r"no images/val2017 or val2017; expected\ncoco/"),
        ("ade20k", r"no images/validation; expected\nADEChallengeData2016/"),
        ("cityscapes", r"no leftImg8bit/val; expected\ncityscapes/"),
    ],
)
def test_a_wrong_folder_is_shown_the_tree(tmp_path: Path, layout: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        _open(layout, tmp_path).shards()


def test_a_missing_ground_truth_is_named_before_any_work(tmp_path: Path) -> None:
    root = write_voc(tmp_path, {"a": VOC_MAP, "b": VOC_MAP})
    (root / "SegmentationClass" / "b.png").unlink()
    with pytest.raises(CorpusError, match=r"there is no SegmentationClass/b\.png"):
        _open("voc", root).shards()


def test_another_split_is_another_list(tmp_path: Path) -> None:
    root = write_voc(tmp_path, {"a": VOC_MAP, "b": VOC_MAP})
    write_list(root / "ImageSets" / "Segmentation" / "train.txt", ["b"])
    dataset = open_dataset(CorpusConfig(uri=f"voc:{root}"), split="train").reader
    assert isinstance(dataset, FolderDataset)
    assert _keys(dataset) == ["b"]
    with pytest.raises(CorpusError, match="no image 'a'"):
        dataset.labels("a")


def test_an_image_that_vanished_is_a_bad_sample(tmp_path: Path) -> None:
    dataset = _open("voc", write_voc(tmp_path, {"a": VOC_MAP}))
    shard = dataset.shards()[0]
    (tmp_path / "JPEGImages" / "a.jpg").unlink()
    (sample,) = dataset.read(shard)
    assert not isinstance(sample, Sample)
    assert (sample.key, sample.reason) == ("a", "missing_image")


def test_a_dataset_in_memory_is_read_through_fsspec() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/voc/ImageSets/Segmentation/val.txt", b"k\n")
    for path, kind in (("JPEGImages/k.jpg", "JPEG"), ("SegmentationClass/k.png", "PNG")):
        packed = io.BytesIO()
        Image.fromarray(np.full((2, 3), 7, np.uint8)).save(packed, kind)
        fs.pipe_file(f"/voc/{path}", packed.getvalue())
    dataset = open_dataset(CorpusConfig(uri="voc:memory://voc")).reader
    assert isinstance(dataset, FolderDataset)
    assert _keys(dataset) == ["k"]
    assert set(np.unique(dataset.labels("k"))) == {7}
