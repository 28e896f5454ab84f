from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import yaml
from exporting import SHARDS, Mask, drawn_of, filled_polygon, iou

from maskmill.catalogs.exporters import ExportSummary

Export = Callable[..., ExportSummary]


def _masks(summary: ExportSummary, name: str, size: tuple[int, int]) -> dict[int, Mask]:
    """Rasterise a label file by the rule of the format, the parts of a class together."""
    masks: dict[int, Mask] = {}
    for line in (summary.out / "labels" / "train" / f"{name}.txt").read_text().splitlines():
        number, *shares = line.split()
        assert len(shares) >= 6 and len(shares) % 2 == 0
        corners = np.array(shares, float).reshape(-1, 2)
        assert corners.min() >= 0 and corners.max() <= 1
        mask = filled_polygon(corners * size[::-1], size)
        masks[int(number)] = masks.get(int(number), np.zeros(size, bool)) | mask
    return masks


@pytest.mark.parametrize(("tolerance", "least"), [(0.75, 0.95), (0.0, 0.99)])
def test_polygons_drawn_again_are_the_masks(exported: Export, tolerance: float, least: float) -> None:
    summary = exported(format="yolo-seg", tolerance=tolerance)
    for shard, key in (("00000", "0000"), ("00001", "1000"), ("00002", "2000")):
        drawn = drawn_of(key)
        masks = _masks(summary, f"{shard}/{key}", drawn.size)
        assert len(masks) == len(drawn.masks)
        for label, _, mask in drawn.masks:
            assert iou(masks[summary.classes.index(label) - 1], mask) > least


def test_every_image_has_a_label_file_where_the_tool_looks_for_it(exported: Export) -> None:
    summary = exported(format="yolo-seg")
    images = sorted((summary.out / "images").rglob("*.jpg"))
    labels = [str(p).replace("/images/", "/labels/").replace(".jpg", ".txt") for p in images]
    found = sorted(str(p) for p in (summary.out / "labels").rglob("*.txt"))
    assert labels == found
    assert len(found) == sum(len(shard) for shard in SHARDS.values())
    assert (summary.out / "labels" / "train" / "00000" / "0001.txt").read_text() == ""


def test_the_data_file_names_the_classes(exported: Export) -> None:
    summary = exported(format="yolo-seg", val_share=0.5, seed=3)
    data = yaml.safe_load((summary.out / "data.yaml").read_text("utf-8"))
    assert data["names"] == {0: "cat", 1: "dog", 2: "tree"}
    assert [data["train"], data["val"]] == ["images/train", "images/val"]
    assert all((summary.out / data[split]).is_dir() for split in ("train", "val"))


def test_without_held_out_images_the_tool_still_finds_some(exported: Export) -> None:
    data = yaml.safe_load((exported(format="yolo-seg").out / "data.yaml").read_text("utf-8"))
    assert data["val"] == "images/train"


def test_small_parts_are_left_out(exported: Export) -> None:
    summary = exported(format="yolo-seg", min_area=40)
    lines = (summary.out / "labels" / "train" / "00001" / "1000.txt").read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == ["0", "0", "2"]
