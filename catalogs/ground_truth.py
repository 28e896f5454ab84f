"""Ground truth as class-id maps: of the demo corpus, of a COCO JSON, or a folder of index PNGs."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import fsspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from ..schemas.config import CorpusConfig
from ..schemas.errors import CatalogError, CorpusError
from ..schemas.labelmap import BACKGROUND, IGNORE
from .demo import read_ground_truth
from .rle import decode_mask

_PNG_IGNORE = 255
_HELD_OUT = "val"


class GroundTruth(Protocol):
    """The true class of every pixel; picklable, so that every worker reads its own images."""

    def names(self) -> tuple[str, ...]:
        """Return what the ids stand for; id 0 is the background.

        Raises:
            CorpusError: the ground truth cannot be read.
        """

    def labels(self, key: str) -> NDArray[np.uint16]:
        """Return the (H, W) ids of the image with this key; 65535 is not to be judged.

        Raises:
            CorpusError: there is no ground truth for this image, or it cannot be read.
        """


def open_ground_truth(corpus: CorpusConfig, folder: str | None = None) -> tuple[CorpusConfig, GroundTruth]:
    """Find the ground truth of a corpus, and the corpus that it judges.

    Args:
        corpus: a demo corpus (its folder, which means its held-out split, or one split), a COCO JSON, or
            any other with ``folder``.
        folder: index PNGs; they go before what the corpus itself holds.

    Returns:
        The corpus to read images from, and its ground truth.

    Raises:
        CorpusError: the corpus holds none and no folder is given.
    """
    if folder is not None:
        return corpus, IndexPngs(folder)
    if corpus.uri.lower().endswith(".json"):
        return corpus, CocoTruth(corpus.uri)
    given = Path(corpus.uri)
    for split in (given, given / _HELD_OUT):
        if (split.parent / "ground_truth" / f"{split.name}.tar").is_file():
            return corpus.model_copy(update={"uri": str(split)}), DemoTruth(str(split.parent), split.name)
    raise CorpusError(
        f"corpus {corpus.uri!r} holds no ground truth: give a demo corpus, a COCO JSON, or a folder of "
        "index PNGs (ground_truth)"
    )


@dataclass(frozen=True)
class DemoTruth:
    """One split of a demo corpus."""

    root: str
    split: str

    def names(self) -> tuple[str, ...]:
        return _names_of(f"{self.root}/ground_truth/classes.json")

    def labels(self, key: str) -> NDArray[np.uint16]:
        try:
            return _demo_split(self.root, self.split)[key].astype(np.uint16)
        except KeyError as err:
            raise CorpusError(f"demo corpus {self.root!r} has no ground truth for image {key!r}") from err


@dataclass(frozen=True)
class IndexPngs:
    """A folder with ``classes.json`` (a list of ``{"id": 0, "name": "background"}``) and one ``KEY.png`` per
    image, 8-bit with 255 to ignore or 16-bit with 65535.
    """

    folder: str

    def names(self) -> tuple[str, ...]:
        return _names_of(f"{self.folder}/classes.json")

    def labels(self, key: str) -> NDArray[np.uint16]:
        try:
            with fsspec.open(f"{self.folder}/{key}.png", "rb") as file, Image.open(file) as image:
                ids = np.asarray(image)
        except OSError as err:
            raise CorpusError(f"ground truth of image {key!r} cannot be read: {err}") from err
        if ids.ndim != 2 or ids.dtype.kind not in "ui":
            raise CorpusError(f"ground truth of image {key!r} is no index PNG: it has mode {image.mode}")
        labels = ids.astype(np.uint16)
        return (
            np.where(labels == _PNG_IGNORE, IGNORE, labels).astype(np.uint16)
            if ids.dtype == np.uint8
            else labels
        )


@dataclass(frozen=True)
class CocoTruth:
    """The polygons and RLEs of a COCO JSON.

    Larger segments are painted first, so that what lies on top of a larger thing stays visible; regions of
    crowds are not judged where no single thing lies. Ids follow the category ids in order, from 1.
    """

    uri: str

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
            for annotation in sorted(coco.segments[entry["id"]], key=_painting_order):
                label = IGNORE if annotation.get("iscrowd") else ids[annotation["category_id"]]
                labels[_mask(annotation["segmentation"], *labels.shape)] = label
        except (CatalogError, KeyError, TypeError, ValueError) as err:
            raise CorpusError(f"ground truth of image {key!r} cannot be read: {err}") from err
        return labels


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


@lru_cache(maxsize=2)
def _demo_split(root: str, split: str) -> dict[str, NDArray[np.uint8]]:
    return dict(read_ground_truth(Path(root), split))


def _names_of(uri: str) -> tuple[str, ...]:
    try:
        with fsspec.open(uri, "rb") as file:
            classes = sorted(json.load(file), key=lambda c: int(c["id"]))
        ids, names = [c["id"] for c in classes], tuple(str(c["name"]) for c in classes)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CorpusError(f"the classes of the ground truth cannot be read from {uri!r}: {err}") from err
    if not ids or ids != list(range(len(ids))):
        raise CorpusError(f"the class ids in {uri!r} must run from 0 without a gap, got {ids}")
    return names
