"""Ground truth of a COCO JSON of instances."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ...schemas.errors import CatalogError, CorpusError
from ...schemas.labelmap import BACKGROUND, IGNORE
from ..rle import decode_mask


@dataclass(frozen=True)
class CocoTruth:
    """The polygons and RLEs of a COCO JSON.

    Larger segments are painted first, so that what lies on top of a larger thing stays visible; regions of
    crowds are not judged where no single thing lies. Ids follow the category ids in order, from 1.

    Args:
        first_come: paint as CLIP-DIY's released code does: in the order of the file, a pixel keeps its first
            class, and crowds are things of their class.
    """

    uri: str
    first_come: bool = False

    def names(self) -> tuple[str, ...]:
        return ("background", *(str(c["name"]) for c in _coco(self.uri).categories))

    def labels(self, key: str) -> NDArray[np.uint16]:
        coco = _coco(self.uri)
        if key not in coco.images:
            raise CorpusError(f"COCO JSON {self.uri!r} has no image {key!r}")
        entry = coco.images[key]
        ids = {c["id"]: i for i, c in enumerate(coco.categories, 1)}
        labels = np.full((entry["height"], entry["width"]), BACKGROUND, np.uint16)
        try:
            for annotation, label in self._painted(coco.segments[entry["id"]], ids):
                labels[_mask(annotation["segmentation"], *labels.shape)] = label
        except (CatalogError, KeyError, TypeError, ValueError) as err:
            raise CorpusError(f"ground truth of image {key!r} cannot be read: {err}") from err
        return labels

    def _painted(
        self, segments: list[dict[str, Any]], ids: dict[int, int]
    ) -> list[tuple[dict[str, Any], int]]:
        """Return segments and their labels in the order of painting: a later one covers an earlier one."""
        if self.first_come:
            return [(segment, ids[segment["category_id"]]) for segment in reversed(segments)]
        return [
            (segment, IGNORE if segment.get("iscrowd") else ids[segment["category_id"]])
            for segment in sorted(segments, key=_painting_order)
        ]


@dataclass(frozen=True)
class _Coco:
    images: dict[str, dict[str, Any]]
    categories: list[dict[str, Any]]
    segments: dict[int, list[dict[str, Any]]]


@lru_cache(maxsize=2)
def _coco(uri: str) -> _Coco:
    try:
        with fsspec.open(uri, "rb") as file:
            body = json.load(file)
        images = {str(PurePosixPath(i["file_name"]).with_suffix("")): i for i in body["images"]}
        categories = sorted(body["categories"], key=lambda c: int(c["id"]))
        segments: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in body["annotations"]:
            if "segmentation" in annotation:
                segments[annotation["image_id"]].append(annotation)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CorpusError(f"{uri!r} holds no COCO instances: {type(err).__name__} {err}") from err
    return _Coco(images, categories, segments)


def _painting_order(annotation: dict[str, Any]) -> tuple[bool, float]:
    return (not annotation.get("iscrowd"), -float(annotation["area"]))


def _mask(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Decode polygons, uncompressed or compressed RLE to a (height, width) mask."""
    if isinstance(segmentation, list):
        rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        rle = coco_mask.frPyObjects(segmentation, height, width)
    else:
        rle = segmentation
    counts = rle["counts"]
    return decode_mask(counts if isinstance(counts, bytes) else counts.encode("ascii"), height, width)
