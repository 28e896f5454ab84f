"""What processes do to a catalog at the same time, as functions that a new process can import."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from sql_catalog import image, mask, publish

from maskmill.catalogs.files import FileAdd, write_rows
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

IMAGES = 3  # in a shard, each with one mask
_COUNTS = """
SELECT count(*) AS masks, count(DISTINCT image_id) AS images, (SELECT count(*) FROM images) AS rows
FROM masks
"""


def write_shard(uri: str, run_id: str, shard: str) -> list[FileAdd]:
    """Write the files of a shard and commit nothing."""
    keys = [f"{run_id}/{shard}/{i}" for i in range(IMAGES)]
    images = [image(key, 1, shard_id=shard) for key in keys]
    masks = [mask(key, "cat", (0, 0, 9, 9), 0.5, shard_id=shard) for key in keys]
    rows = {"masks": masks, "images": images}
    return [write_rows(uri, table, run_id, shard, found) for table, found in rows.items()]


def resume(uri: str, run_id: str, shards: Sequence[str]) -> int:
    """Do what is left of a run, shard by shard, and publish it."""
    catalog = Catalog.open(uri)
    for shard in sorted(set(shards) - catalog.committed("images", run_id)):
        catalog.commit(write_shard(uri, run_id, shard))
    return publish(catalog, run_id, 1, {})


def resume_at_once(uri: str, run_id: str, shards: Sequence[str], start: Barrier) -> None:
    start.wait(60)
    resume(uri, run_id, shards)


def write_and_hang(uri: str, run_id: str, point: str, reached: Event) -> None:
    """Commit shard 0 and stop at a point of shard 1: ``written``, or ``half``, between its two commits."""
    catalog = Catalog.open(uri)
    catalog.commit(write_shard(uri, run_id, "0"))
    masks, _ = write_shard(uri, run_id, "1")
    if point == "half":
        catalog.commit([masks])
    reached.set()
    time.sleep(600)


def read_until(uri: str, stop: Event, results: Connection) -> None:
    """Count rows again and again; send each distinct answer, or what an error said, at the end."""
    seen: set[tuple[Any, ...] | str] = set()
    reads = 0
    results.send("ready")
    while not stop.is_set() or reads < 2:
        try:
            (row,) = query(uri, _COUNTS).to_pylist()
            seen.add(tuple(row.values()))
        except CatalogError as err:
            seen.add(str(err))
        reads += 1
    results.send((reads, seen))


def write_with_little_space(uri: str, results: Connection) -> None:
    """Write a shard where files may not become large, then commit one; send what the errors said."""
    said = []
    for prepared, limit in (([], 1000), (write_shard(uri, "label-1", "0"), 400)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            Catalog.open(uri).commit(prepared or write_shard(uri, "label-1", "1"))
        except CatalogError as err:
            said.append(str(err))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    results.send(said)
