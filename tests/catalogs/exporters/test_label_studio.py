from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from exporting import ROTATED, Mask, drawn_of, iou
from PIL import Image, ImageDraw

from maskmill.catalogs.exporters import ExportSummary

Export = Callable[..., ExportSummary]


def _tasks(summary: ExportSummary) -> list[dict[str, Any]]:
    files = sorted((summary.out / "tasks").iterdir())
    return [task for path in files for task in json.loads(path.read_text("utf-8"))]


def _brush(value: dict[str, Any], size: tuple[int, int]) -> Mask:
    """Decode a brush whose runs are all repeated ones, as this exporter writes them."""
    bits = "".join(f"{byte:08b}" for byte in value["rle"])
    total, at, values = int(bits[:32], 2), 53, []
    while len(values) < total:
        counter = (3, 4, 8, 16)[int(bits[at + 1 : at + 3], 2)]
        length = int(bits[at + 3 : at + 3 + counter], 2) + 1
        values += [int(bits[at + 3 + counter : at + 11 + counter], 2)] * length
        at += 11 + counter
    return np.asarray(values, np.uint8).reshape(*size, 4)[..., 3] == 255


def _polygon(value: dict[str, Any], size: tuple[int, int]) -> Mask:
    """Fill a polygon in percent of the image, four times finer than its pixels."""
    height, width = size
    canvas = Image.new("L", (4 * width, 4 * height))
    corners = [(x * width / 25, y * height / 25) for x, y in value["points"]]
    ImageDraw.Draw(canvas).polygon(corners, fill=1)
    return np.asarray(canvas, bool)[2::4, 2::4]


@pytest.mark.parametrize(("shape", "least"), [("brush", 1.0), ("polygon", 0.9)])
def test_regions_are_the_masks(exported: Export, shape: str, least: float) -> None:
    summary = exported(format="labelstudio", shape=shape)
    tasks = {task["data"]["key"]: task for task in _tasks(summary)}
    assert len(tasks) == 5
    for key, task in tasks.items():
        drawn = drawn_of(key)
        found = {label: np.zeros(drawn.size, bool) for label, _, _ in drawn.masks}
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "label-1"
        for region in prediction["result"]:
            assert (region["original_height"], region["original_width"]) == drawn.size
            (label,) = region["value"][region["type"]]
            assert region["type"] == f"{shape}labels"
            draw = _brush if shape == "brush" else _polygon
            found[label] |= draw(region["value"], drawn.size)
        assert all(iou(found[label], mask) >= least for label, _, mask in drawn.masks if mask.sum() > 100)


def test_tasks_name_the_image_where_the_server_finds_it(exported: Export) -> None:
    summary = exported(format="labelstudio", image_prefix="/data/local-files/?d=images/train/")
    tasks = {task["data"]["key"]: task["data"] for task in _tasks(summary)}
    assert tasks["0000"]["image"] == "/data/local-files/?d=images/train/00000/0000.jpg"
    assert tasks["0000"]["captions"] == ["a photo 0000"]
    assert (summary.out / "images" / "train" / "00000" / "0000.jpg").is_file()


def test_keys_in_addresses_are_percent_encoded(exported: Export) -> None:
    summary = exported(
        format="labelstudio", images="none", image_prefix="https://host/a b/", image_suffix=".jpg"
    )
    tasks = {task["data"]["key"]: task["data"]["image"] for task in _tasks(summary)}
    assert tasks[ROTATED] == "https://host/a b/sub/turned%20%C3%BC.jpg"


@pytest.mark.parametrize(("shape", "tag"), [("brush", "BrushLabels"), ("polygon", "PolygonLabels")])
def test_the_interface_fits_the_tasks(exported: Export, shape: str, tag: str) -> None:
    summary = exported(format="labelstudio", shape=shape)
    view = ET.fromstring((summary.out / "labels.xml").read_text("utf-8"))
    labels, image = view.find(tag), view.find("Image")
    assert labels is not None and image is not None
    assert [label.get("value") for label in labels] == ["cat", "dog", "tree"]
    regions = [r for task in _tasks(summary) for p in task["predictions"] for r in p["result"]]
    assert {(r["from_name"], r["to_name"]) for r in regions} == {(labels.get("name"), image.get("name"))}
    assert image.get("value") == "$image"
    assert len({r["id"] for r in regions}) == len(regions)
