"""How fast a trainer reads images and label maps: from a catalog, and from files of JPEG and index PNG.

Usage: [MASKMILL_REALDATA=FOLDER] OMP_NUM_THREADS=1 python benchmarks/mask_dataset.py
       [--images 600] [--rounds 5] [--rows 20000]

Photographs are COCO's with their annotated things where MASKMILL_REALDATA is set, and else smooth noise of
640 x 480 pixels with blobs of five classes. Both sides hold the same JPEG bytes and the same label maps: one
as a catalog over tars, and over a folder of the files, the other as files. That is asserted. Both decode
JPEGs by the same function. The same ``DataLoader`` reads both in the same shuffled order, and cuts 256 x 256
pixels of image and label map for batches of 8. The catalog also checks each image's sha256 and makes a map
of weights.

An epoch over all images is one round; sides take turns, and the median counts. Files are in the page cache.
Without workers the processor's time is taken, so that other work on the machine counts less; with workers the
clock's.
The last lines are of a catalog of rows alone: what opening it costs, and what it holds in memory.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import pickle
import statistics
import tarfile
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage
from torch import Tensor
from torch.utils.data import DataLoader

from maskmill.catalogs import Catalog, MaskDataset, MaskSample
from maskmill.catalogs.exporters.label_pngs import palette_png
from maskmill.catalogs.files import write_rows
from maskmill.catalogs.images import decode_image
from maskmill.catalogs.rle import mask_rows
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.samples import image_id

BATCH, CROP, SHARD, WORKERS = 8, 256, 100, (0, 2)
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


@dataclass(frozen=True)
class Order:
    """A sampler that draws the same order for every side."""

    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        yield from np.random.default_rng(0).permutation(self.count).tolist()


def crops(samples: list[Any]) -> tuple[Tensor, Tensor]:
    """Cut and stack images as uint8 (B, 3, S, S) and label maps as int64 (B, S, S)."""
    images, labels = [], []
    for image, label in (sample[:2] for sample in samples):
        rows, columns = (max(0, CROP - side) for side in label.shape)
        image = np.pad(image[:CROP, :CROP], ((0, rows), (0, columns), (0, 0)))
        images.append(torch.from_numpy(image).permute(2, 0, 1))
        labels.append(
            torch.from_numpy(np.pad(label[:CROP, :CROP], ((0, rows), (0, columns))).astype(np.int64))
        )
    return torch.stack(images), torch.stack(labels)


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


def seconds(loader: DataLoader[Any]) -> float:
    clock = time.perf_counter if loader.num_workers else time.process_time
    began = clock()
    for _ in loader:
        pass
    return clock() - began


def compare(sides: dict[str, Any], rounds: int) -> None:
    count = len(next(iter(sides.values())))
    print(f"\n{'':26}{'workers':>8}{'images/s':>10}{'ratio':>8}{'range':>16}")
    for workers in WORKERS:
        loaders = {name: _loader(side, count, workers) for name, side in sides.items()}
        spent: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds + 1):
            for name, loader in loaders.items():
                spent[name].append(seconds(loader))
        base = statistics.median(spent["JPEG + index PNG files"][1:])
        for name, times in spent.items():
            speeds = sorted(count / t for t in times[1:])
            middle = statistics.median(times[1:])
            limits = f"{speeds[0]:.0f} - {speeds[-1]:.0f}"
            print(f"{name:26}{workers:8}{count / middle:10.0f}{base / middle:8.2f}{limits:>16}")


def _loader(side: Any, count: int, workers: int) -> DataLoader[Any]:
    return DataLoader(
        side,
        batch_size=BATCH,
        sampler=Order(count),
        collate_fn=crops,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


def agree(files: Files, dataset: MaskDataset) -> None:
    """Assert that both sides hold the same pixels and classes."""
    for index in range(0, len(files), max(1, len(files) // 50)):
        image, labels = files[index]
        sample: MaskSample = dataset[index]
        names = [NAMES.index(name) for name in dataset.classes]
        assert np.array_equal(image, sample.image)
        assert np.array_equal(labels, np.array(names)[sample.labels])


def print_opening(root: Path, rows: int) -> None:
    """Print what opening a catalog of many images costs; each has a small mask, and there is no corpus."""
    catalog = Catalog.create_or_open(str(root / "rows"))
    labels = np.zeros((24, 32), np.uint16)
    labels[4:12, 4:20] = 1
    photo = Photo(b"", labels)
    for shard in range(0, rows, 1000):
        commit_shard(catalog, f"{shard // 1000:06d}", {f"{n:09d}": photo for n in range(shard, shard + 1000)})
    publish(catalog, str(root / "none"))
    began = time.perf_counter()
    dataset = MaskDataset(catalog.uri)
    opened = time.perf_counter() - began
    tracemalloc.start()
    dataset = MaskDataset(catalog.uri)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    sent = len(pickle.dumps(dataset))
    print(f"\nopening {len(dataset):,} images in {rows // 1000} shards: {opened:.1f} s")
    print(f"held per image: {held / rows:.1f} bytes, sent to a worker: {sent / rows:.1f} bytes")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = os.environ.get("MASKMILL_REALDATA")
    photos = list(
        real_photos(Path(given) / "coco_photos", arguments.images)
        if given
        else drawn_photos(arguments.images)
    )
    kind = "COCO photographs" if given else "drawn images"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = Files(root, write_both(root, photos))
        tars = MaskDataset(str(root / "catalog"))
        images = CorpusConfig(uri=str(root / "images"), name="c")
        agree(files, tars)
        print(f"{len(files)} {kind}, {sum(len(p.jpeg) for p in photos) / len(photos) / 1000:.0f} kB each")
        sides = {
            "JPEG + index PNG files": files,
            "catalog over tars": tars,
            "catalog over a folder": MaskDataset(str(root / "catalog"), corpus=images),
        }
        compare(sides, arguments.rounds)
        print_opening(root, arguments.rows)


if __name__ == "__main__":
    main()
