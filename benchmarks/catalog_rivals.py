"""The masks of a generated catalog as other tools keep them, and the same question asked of each.

The question is how many masks and pixels every class has. COCO JSON is what pycocotools loads. JSON lines are
samples much as FiftyOne's documents: detections with a relative box and the mask inside the box as
a NumPy array, compressed by zlib; ids and times are left out.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from catalog_data import HEIGHT, WIDTH
from pycocotools.coco import COCO

from maskmill.catalogs.query import query
from maskmill.catalogs.rle import decode_mask

QUESTION = "SELECT label, count(*) AS masks, sum(area)::BIGINT AS pixels FROM latest_masks GROUP BY label"

Answer = dict[str, tuple[int, int]]


def catalog_answer(uri: str) -> Answer:
    """Open the catalog and ask it."""
    return {row["label"]: (row["masks"], row["pixels"]) for row in query(uri, QUESTION).to_pylist()}


def coco_answer(path: str) -> Answer:
    """Load the file with pycocotools and count its annotations class by class."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    found = {}
    for category in coco.loadCats(coco.getCatIds()):
        ids = coco.getAnnIds(catIds=[category["id"]])
        found[category["name"]] = (len(ids), sum(coco.anns[i]["area"] for i in ids))
    return found


def lines_answer(path: str) -> Answer:
    """Read a file of JSON lines and count its detections class by class."""
    masks: Counter[str] = Counter()
    pixels: Counter[str] = Counter()
    with Path(path).open("rb") as lines:
        for line in lines:
            for detection in json.loads(line)["ground_truth"]["detections"]:
                masks[detection["label"]] += 1
                pixels[detection["label"]] += detection["area"]
    return {label: (number, pixels[label]) for label, number in masks.items()}


def write_coco(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables of masks as one COCO JSON, annotation by annotation; return how many."""
    categories: dict[str, int] = {}
    images: list[str] = []
    number = 0
    with path.open("w") as file:
        file.write('{"annotations": [')
        for image, rows in _by_image(tables):
            images.append(_dumped({"id": len(images) + 1, "file_name": f"{image}.jpg", **_SIZE}))
            for row in rows:
                number += 1
                category = categories.setdefault(row["label"], len(categories) + 1)
                annotation = _annotation(row, number, len(images), category)
                file.write(f"{',' if number > 1 else ''}\n{_dumped(annotation)}")
        named = [{"id": i, "name": name} for name, i in categories.items()]
        file.write(f'\n], "images": [{", ".join(images)}], "categories": {json.dumps(named)}}}')
    return number


def write_lines(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables of masks as one JSON line per image; return how many masks."""
    number = 0
    masks: dict[bytes, str] = {}  # shapes repeat from shard to shard
    with path.open("w") as file:
        for image, rows in _by_image(tables):
            detections = [_detection(row, masks) for row in rows]
            number += len(detections)
            sample = {"filepath": f"/data/{image}.jpg", "tags": [], "metadata": _SIZE}
            file.write(f"{_dumped({**sample, 'ground_truth': {'detections': detections}})}\n")
    return number


_SIZE = {"height": HEIGHT, "width": WIDTH}


def _annotation(row: dict[str, Any], number: int, image: int, category: int) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": row["rle"].decode()},
        "area": row["area"],
        "bbox": [row["bbox_x"], row["bbox_y"], row["bbox_w"], row["bbox_h"]],
        "iscrowd": 0,
        "score": round(row["score"], 4),
    }


def _detection(row: dict[str, Any], masks: dict[bytes, str]) -> dict[str, Any]:
    x, y, width, height = (row[f"bbox_{side}"] for side in "xywh")
    if row["rle"] not in masks:
        body = io.BytesIO()
        np.save(body, decode_mask(row["rle"], HEIGHT, WIDTH)[y : y + height, x : x + width])
        masks[row["rle"]] = base64.b64encode(zlib.compress(body.getvalue())).decode()
    return {
        "label": row["label"],
        "confidence": row["score"],
        "bounding_box": [x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT],
        "mask": {"$binary": {"base64": masks[row["rle"]], "subType": "00"}},
        "area": row["area"],
        "tags": [],
        "attributes": {},
    }


def _by_image(tables: Iterable[pa.Table]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield key and rows of one image after another."""
    for table in tables:
        rows: list[dict[str, Any]] = []
        for row in table.to_pylist():
            if rows and rows[0]["key"] != row["key"]:
                yield rows[0]["key"], rows
                rows = []
            rows.append(row)
        if rows:
            yield rows[0]["key"], rows


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
