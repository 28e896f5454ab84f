"""Builds the catalog that catalog.py measures, shard by shard, and keeps how long that takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from catalog_data import Pool, Shard, deal, mask_table, run_row, write_shard

from maskmill.catalogs.files import FileAdd
from maskmill.catalogs.store import Catalog

RUN = "label-1"
PER_COMMIT = 10  # shards, as a driver commits them
ALONE = 5  # so many shards are committed one by one, into the fresh catalog and into the full one


@dataclass
class Building:
    """How long the parts of a generated catalog took, in seconds."""

    shards: int = 0
    masks: int = 0
    writing: float = 0.0
    png_bytes: int = 0
    images: int = 0
    commits: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    rows: int
    shard_masks: int
    compared: int
    seed: int


def build(uri: str, pool: Pool, settings: Settings) -> Building:
    """Generate, commit and publish all shards; the first and the last are committed one by one."""
    catalog = Catalog.create_or_open(uri)
    rng = np.random.default_rng(settings.seed)
    done, waiting = Building(), list[FileAdd]()
    shards = list(shards_of(pool, settings))
    for number, shard in enumerate(shards):
        began = time.perf_counter()
        waiting += write_shard(catalog, RUN, pool, shard, rng)
        done.writing += time.perf_counter() - began
        done.masks += waiting[-2].rows
        done.png_bytes += int(pool.png_bytes[shard.drawn].sum())
        alone = number < ALONE or number >= len(shards) - ALONE
        if alone or number % PER_COMMIT == 0:
            began = time.perf_counter()
            catalog.commit(waiting)
            done.commits.append(time.perf_counter() - began)
            waiting = []
        done.images += len(shard.keys)
    done.shards = len(shards)
    catalog.publish(run_row(1, done.masks), RUN)
    return done


def shards_of(pool: Pool, settings: Settings) -> Iterator[Shard]:
    return deal(pool, settings.rows, settings.shard_masks, settings.seed)


def tables_of(pool: Pool, settings: Settings) -> Iterator[pa.Table]:
    """Yield the mask rows of shard after shard, the same as :func:`build` writes."""
    rng = np.random.default_rng(settings.seed)
    return (mask_table(pool, shard, rng) for shard in shards_of(pool, settings))
