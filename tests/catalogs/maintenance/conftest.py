"""A catalog of one label run with real masks in six small shards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmill.catalogs.files import read_files, write_rows
from maskmill.catalogs.rle import mask_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.labelmap import LabelMap

SHARDS = tuple(f"{i:05d}" for i in range(6))


def label_map(seed: int) -> LabelMap:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (12, 9)).astype(np.uint16)
    scores = rng.random((12, 9)).astype(np.float16)
    return LabelMap(labels, scores, ("background", "cat", "dog"))


def contents(catalog: Catalog, version: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return table -> rows in the order of the files, of a version."""
    files = catalog.all_files(version)
    return {table: read_files(table, files[table]).to_pylist() for table in ("images", "masks", "errors")}


def grow_old(catalog: Catalog, days: float) -> None:
    """Let every file look as if it had been written so many days ago; the log keeps its times."""
    then = time.time() - days * 86_400
    for path in Path(catalog.uri).rglob("*.*"):
        os.utime(path, (then, then))


@pytest.fixture
def write_shard(image_row: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Write and commit a shard with two images, two masks each, and an error."""

    def write(catalog: Catalog, run_id: str, shard: str, seed: int = 0) -> None:
        images, masks = [], []
        for i in range(2):
            row = image_row(f"{shard}-{i}", 2) | {"shard_id": shard, "height": 12, "width": 9}
            identity = {name: row[name] for name in ("image_id", "corpus", "key", "shard_id")}
            measured = mask_rows(label_map(seed + 2 * int(shard) + i), min_area=1)
            images.append(row)
            masks += [identity | {"label_kind": "vocabulary", "segmenter": "s@1"} | mask for mask in measured]
        error = {"stage": "label", "corpus": "c", "shard_id": shard, "reason": "empty_file", "detail": "bad"}
        rows = {"masks": masks, "errors": [error], "images": images}
        catalog.commit([write_rows(catalog.uri, table, run_id, shard, rows[table]) for table in rows])

    return write


@pytest.fixture
def label(write_shard: Callable[..., None], run_row: Callable[..., dict[str, Any]]) -> Callable[..., int]:
    """Write a run, publish it and return the catalog version."""

    def run(catalog: Catalog, run_id: str, shards: Sequence[str] = SHARDS, seed: int = 0) -> int:
        for shard in shards:
            write_shard(catalog, run_id, shard, seed)
        return catalog.publish(run_row(), run_id)

    return run


@pytest.fixture
def labelled(catalog: Catalog, label: Callable[..., int]) -> Catalog:
    assert label(catalog, "a") == 1
    return catalog
