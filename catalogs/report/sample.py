"""A sample of a run's shards that bounds what the page reads, whatever the size of the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

# Extremes of a class, and the comparison of runs, are looked for among so many images; the photographs of a
# choice from ten thousand shards would take hours to read.
SAMPLE_IMAGES = 100_000

_SHARDS = """
WITH counted AS (
    SELECT shard_id, count(*) AS images FROM images WHERE list_contains($runs, run_id) GROUP BY shard_id),
summed AS (
    SELECT shard_id, images, sum(images) OVER () AS total,
        sum(images) OVER (ORDER BY md5(shard_id), shard_id) - images AS before FROM counted)
SELECT shard_id, images, total FROM summed WHERE before < $most ORDER BY before
"""


@dataclass(frozen=True)
class ShardSample:
    """Whole shards, chosen by the hash of their names; ``images`` of the runs' ``total`` lie in them."""

    shards: tuple[str, ...]
    images: int
    total: int

    @property
    def is_all(self) -> bool:
        return self.images == self.total


NO_SHARDS = ShardSample((), 0, 0)


def sample_shards(
    db: duckdb.DuckDBPyConnection, runs: Sequence[str], most: int = SAMPLE_IMAGES
) -> ShardSample:
    """Return shards of `runs` with at least `most` images together, or all there are."""
    rows = db.execute(_SHARDS, {"runs": list(runs), "most": most}).fetchall()
    total = int(rows[0][2]) if rows else 0
    return ShardSample(tuple(shard for shard, _, _ in rows), sum(n for _, n, _ in rows), total)
