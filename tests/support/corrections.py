"""Corrections that a reviewer hands back for a small labelled catalog, and what an import makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maskmill.catalogs.files import read_files
from maskmill.catalogs.store import Catalog
from maskmill.tasks.review_import import ReviewConfig, review_import
from maskmill.tasks.runs import RunSummary

Body = dict[str, Any]
SIZE = (40, 48)  # height and width of every image
BOX = [[4.0, 4.0, 20.0, 4.0, 20.0, 12.0, 4.0, 12.0]]


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
