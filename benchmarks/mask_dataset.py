"""How fast a trainer reads images and label maps: from a catalog, and from files of JPEG and index PNG.

Usage: [MASKMILL_REALDATA=FOLDER] OMP_NUM_THREADS=1 python benchmarks/mask_dataset.py
       [--images 1000] [--rounds 5] [--rows 20000]

Photographs are COCO's with their annotated things where MASKMILL_REALDATA is set, each again under another
name until there are --images of them, and else smooth noise of 640 x 480 pixels with blobs of five classes.
Shards hold 1,000 images. Both sides hold the same JPEG bytes and the same label maps: one
as a catalog over tars, and over a folder of the files, the other as files. That is asserted. Both decode
JPEGs by the same function. The same ``DataLoader`` reads both in the same shuffled order (of a stream: each
in a shuffled order of its own), and cuts 256 x 256 pixels of image and label map for batches of 8. The
catalog also makes a map of weights, and checks each image's sha256 when a process first reads it.

An epoch over all images is one round; sides take turns, and the median counts. A "first epoch" is of a
dataset that was just opened and has read nothing, a "later epoch" of one that has read all before. Files
are in the page cache. Without workers the processor's time is taken, so that other work on the machine counts
less; with workers the clock's, and of them no first epoch, which is mostly the start of Python.
The last lines are of a catalog of rows alone: what opening it costs, and what it holds in memory.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mask_dataset_data import (
    NAMES,
    Files,
    FileStream,
    Photo,
    commit_shard,
    drawn_photos,
    publish,
    real_photos,
    write_both,
)
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from maskmill.catalogs import Catalog, MaskDataset, MaskSample, MaskStream
from maskmill.schemas.config import CorpusConfig

BATCH, CROP, WORKERS = 8, 256, 2
FILES, TARS, FOLDER = "JPEG + index PNG files", "catalog over tars", "catalog over a folder"
Opened = Callable[[], Any]


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


def loader(side: Any, workers: int = 0) -> DataLoader[Any]:
    streamed = isinstance(side, IterableDataset)
    return DataLoader(
        side,
        batch_size=BATCH,
        sampler=None if streamed else Order(len(side)),
        collate_fn=crops,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


def seconds(batches: Iterable[Any], clock: Callable[[], float]) -> float:
    began = clock()
    for _ in batches:
        pass
    return clock() - began


def first_epochs(sides: Mapping[str, Opened], rounds: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, opened in sides.items():
            spent[name].append(seconds(loader(opened()), time.process_time))
    return spent


def later_epochs(sides: Mapping[str, Opened], rounds: int, workers: int) -> dict[str, list[float]]:
    clock = time.perf_counter if workers else time.process_time
    loaders = {name: loader(opened(), workers) for name, opened in sides.items()}
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, batches in loaders.items():
            spent[name].append(seconds(batches, clock))
    return spent


def print_rows(what: str, workers: int, count: int, spent: Mapping[str, list[float]]) -> None:
    """Print a row for each side, the first round left out; ratios are to the first side."""
    base = statistics.median(next(iter(spent.values()))[1:])
    for name, times in spent.items():
        middle, speeds = statistics.median(times[1:]), sorted(count / t for t in times[1:])
        limits = f"{speeds[0]:.0f} - {speeds[-1]:.0f}"
        print(f"{what:22}{name:24}{workers:8}{count / middle:10.0f}{base / middle:8.2f}{limits:>16}")


def print_comparison(root: Path, files: Files, rounds: int) -> None:
    catalog, images = str(root / "catalog"), CorpusConfig(uri=str(root / "images"), name="c")
    by_position: dict[str, Opened] = {
        FILES: lambda: files,
        TARS: partial(MaskDataset, catalog),
        FOLDER: partial(MaskDataset, catalog, corpus=images),
    }
    streams: dict[str, Opened] = {
        FILES: lambda: FileStream(files),
        TARS: lambda: MaskStream(catalog, shuffle=True).for_torch(),
        FOLDER: lambda: MaskStream(catalog, shuffle=True, corpus=images).for_torch(),
    }
    print(f"\n{'':46}{'workers':>8}{'images/s':>10}{'ratio':>8}{'range':>16}")
    for name, sides in (("dataset", by_position), ("stream", streams)):
        print_rows(f"{name}, first epoch", 0, len(files), first_epochs(sides, rounds))
        for workers in (0, WORKERS):
            print_rows(f"{name}, later epoch", workers, len(files), later_epochs(sides, rounds, workers))


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
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given, count = os.environ.get("MASKMILL_REALDATA"), arguments.images
    drawn = list(real_photos(Path(given) / "coco_photos", count) if given else drawn_photos(count))
    photos = list(islice(cycle(drawn), count))
    kind = f"images of {len(drawn)} COCO photographs" if given else "drawn images"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = Files(root, write_both(root, photos))
        agree(files, MaskDataset(str(root / "catalog")))
        print(f"{len(files)} {kind}, {sum(len(p.jpeg) for p in photos) / len(photos) / 1000:.0f} kB each")
        print_comparison(root, files, arguments.rounds)
        print_opening(root, arguments.rows)


if __name__ == "__main__":
    main()
