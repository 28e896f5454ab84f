from __future__ import annotations

import duckdb

from maskmill.catalogs.query import connect
from maskmill.catalogs.report.sample import NO_SHARDS, sample_shards
from maskmill.catalogs.store import Catalog


def with_images(*counts: int) -> str:
    """Return a table `images` as SQL, with so many images in each shard."""
    rows = [f"('r', '{i:05d}')" for i, n in enumerate(counts) for _ in range(n)]
    return f"CREATE TABLE images AS FROM (VALUES {', '.join(rows)}) t(run_id, shard_id)"


def test_a_small_run_is_its_own_sample(catalog: Catalog) -> None:
    with connect(catalog.uri) as db:
        sample = sample_shards(db, ["label-new"])
    assert (sample.shards, sample.images, sample.total) == (("00000",), 3, 3)
    assert sample.is_all


def test_whole_shards_are_taken_until_there_are_enough() -> None:
    with duckdb.connect() as db:
        db.execute(with_images(5, 5, 5, 5))
        sample = sample_shards(db, ["r"], 8)
        again = sample_shards(db, ["r"], 8)
    assert (len(sample.shards), sample.images, sample.total) == (2, 10, 20)
    assert not sample.is_all
    assert again == sample


def test_no_run_has_no_shards(catalog: Catalog) -> None:
    with connect(catalog.uri) as db:
        assert sample_shards(db, []) == NO_SHARDS
