"""Photographs and their label maps, both as a catalog over tars and as files of JPEG and index PNG."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage
from torch.utils.data import IterableDataset, get_worker_info

from maskmill.catalogs import Catalog
from maskmill.catalogs.exporters.label_pngs import palette_png
from maskmill.catalogs.files import write_rows
from maskmill.catalogs.images import decode_image
from maskmill.catalogs.rle import mask_rows
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.samples import image_id

SHARD = 1000  # images of a tar; img2dataset's own default is 10,000
NAMES = tuple("background" if i == 0 else f"class {i:02d}" for i in range(91))


class Photo(NamedTuple):
    """JPEG bytes and (H, W) class ids."""

    jpeg: bytes
    labels: NDArray[np.uint16]


def drawn_photos(count: int) -> Iterator[Photo]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        noise = ndimage.gaussian_filter(rng.normal(size=(9, 480, 640)), (0, 12, 12))
        pixels = np.clip(noise[:3] / noise.std() * 50 + 128 + rng.normal(size=(3, 480, 640)) * 6, 0, 255)
        packed = io.BytesIO()
        Image.fromarray(pixels.transpose(1, 2, 0).astype(np.uint8)).save(packed, "JPEG", quality=90)
        yield Photo(packed.getvalue(), noise[3:].argmax(axis=0).astype(np.uint16))


def real_photos(folder: Path, count: int) -> Iterator[Photo]:
    """Yield COCO photographs with their annotated things, larger ones below smaller ones."""
    body = json.loads((folder / "instances_and_captions.json").read_text("utf-8"))
    things: dict[int, list[Any]] = {image["id"]: [] for image in body["images"]}
    for annotation in body["annotations"]:
        things[annotation["image_id"]].append(annotation)
    for image in body["images"][:count]:
        labels = np.zeros((image["height"], image["width"]), np.uint16)
        for thing in sorted(things[image["id"]], key=lambda a: -a["area"]):
            labels[_mask(thing["segmentation"], *labels.shape)] = thing["category_id"]
        yield Photo((folder / "images" / image["file_name"]).read_bytes(), labels)


def _mask(drawn: Any, height: int, width: int) -> NDArray[np.bool_]:
    if isinstance(drawn, list):
        rle = coco_mask.merge(coco_mask.frPyObjects(drawn, height, width))
    else:
        rle = coco_mask.frPyObjects(drawn, height, width) if isinstance(drawn["counts"], list) else drawn
    return np.asarray(coco_mask.decode(rle), bool)


@dataclass(frozen=True)
class Files:
    """JPEG and index PNG files; the other side."""

    folder: Path
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        key = self.keys[index]
        image = decode_image((self.folder / "images" / f"{key}.jpg").read_bytes())
        with Image.open(self.folder / "labels" / f"{key}.png") as png:
            return image, np.array(png)


class FileStream(IterableDataset[tuple[NDArray[np.uint8], NDArray[np.uint8]]]):
    """The same files one after the other, in an order that a seed gives; workers share them out."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        worker = get_worker_info()
        order = np.random.default_rng(0).permutation(len(self._files))
        for index in np.array_split(order, worker.num_workers)[worker.id] if worker else order:
            yield self._files[int(index)]


def write_both(root: Path, photos: list[Photo]) -> tuple[str, ...]:
    keys = tuple(f"{number:06d}" for number in range(len(photos)))
    for name in ("images", "labels", "tars"):
        (root / name).mkdir()
    for key, photo in zip(keys, photos, strict=True):
        (root / "images" / f"{key}.jpg").write_bytes(photo.jpeg)
        (root / "labels" / f"{key}.png").write_bytes(palette_png(photo.labels))
    catalog = Catalog.create_or_open(str(root / "catalog"))
    for number, first in enumerate(range(0, len(photos), SHARD)):
        part = list(zip(keys, photos, strict=True))[first : first + SHARD]
        with tarfile.open(root / "tars" / f"{number:05d}.tar", "w") as tar:
            for key, photo in part:
                info = tarfile.TarInfo(f"{key}.jpg")
                info.size = len(photo.jpeg)
                tar.addfile(info, io.BytesIO(photo.jpeg))
        commit_shard(catalog, f"{number:05d}", dict(part))
    publish(catalog, str(root / "tars"))
    return keys


def commit_shard(catalog: Catalog, shard_id: str, photos: dict[str, Photo]) -> None:
    images: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    for key, photo in photos.items():
        identity = {"image_id": image_id("c", key), "corpus": "c", "key": key, "shard_id": shard_id}
        height, width = photo.labels.shape
        label_map = LabelMap(photo.labels, np.full(photo.labels.shape, 0.75, np.float16), NAMES)
        found = mask_rows(label_map, min_area=1)
        masks += [identity | {"label_kind": "vocabulary", "segmenter": "s"} | row for row in found]
        images.append(
            identity
            | {"shard_uri": shard_id, "width": width, "height": height, "status": "labelled"}
            | {"sha256": hashlib.sha256(photo.jpeg).hexdigest(), "vocabulary": [], "masks": len(found)}
        )
    for table, rows in (("masks", masks), ("images", images)):
        catalog.commit([write_rows(catalog.uri, table, "label-1", shard_id, rows)])


def publish(catalog: Catalog, corpus: str) -> None:
    now = datetime.now(UTC)
    run = dict.fromkeys(("config", "weights", "libraries", "counts"), "{}")
    run |= {"kind": "label", "status": "finished", "corpus": "c", "corpus_uri": corpus}
    times = {"started_at": now, "finished_at": now, "seconds": 1.0}
    catalog.publish({**run, **times, "config_hash": "0", "code_version": "0"}, "label-1")
