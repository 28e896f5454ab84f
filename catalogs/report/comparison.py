"""Two runs over the same images: how much their masks agree, class by class and image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from ...schemas.errors import CatalogError
from ..views import SEEN
from .data import Bin, RunFigures
from .label_maps import ImageRef
from .sample import SAMPLE_IMAGES, ShardSample, sample_shards
from .sql import records

COMPARED = ("label", "review")
# Images that both runs looked at, at one size; a key that a corpus holds twice is told apart by its shard.
_IMAGES = """
CREATE OR REPLACE TEMP TABLE report_both AS
SELECT a.image_id, a.shard_id, a.key, a.height, a.width
FROM images a JOIN images b USING (image_id, shard_id)
WHERE a.run_id = $first AND b.run_id = $second AND list_contains($shards, a.shard_id)
    AND list_contains($seen, a.status) AND list_contains($seen, b.status)
    AND a.height = b.height AND a.width = b.width
"""
_PAIRS = """
CREATE OR REPLACE TEMP TABLE report_pairs AS
WITH a AS (SELECT image_id, shard_id, label, rle, area FROM masks
           WHERE run_id = $first AND list_contains($shards, shard_id)),
b AS (SELECT image_id, shard_id, label, rle, area FROM masks
      WHERE run_id = $second AND list_contains($shards, shard_id))
SELECT image_id, shard_id, label, a.area AS area_a, b.area AS area_b,
    coalesce(rle_iou(a.rle, b.rle, i.height, i.width), 0) AS iou
FROM a FULL JOIN b USING (image_id, shard_id, label) JOIN report_both i USING (image_id, shard_id)
"""
# Two runs that both leave an image without any mask agree on it.
_RATED = """
CREATE OR REPLACE TEMP TABLE report_rated AS
SELECT image_id, shard_id, key, height, width, coalesce(avg(iou), 1.0) AS agreement
FROM report_both LEFT JOIN report_pairs USING (image_id, shard_id) GROUP BY ALL
"""
_BINS = "SELECT least(floor(agreement * 10), 9)::INTEGER, count(*) FROM report_rated GROUP BY 1"
_TOTALS = "SELECT count(*), avg(agreement) FROM report_rated"
_CLASSES = """
SELECT label, count(area_a) AS first, count(area_b) AS second,
    count(*) FILTER (area_a IS NOT NULL AND area_b IS NOT NULL) AS both,
    avg(iou) FILTER (area_a IS NOT NULL AND area_b IS NOT NULL) AS iou
FROM report_pairs GROUP BY label ORDER BY count(*) DESC, label
"""
_WORST = "SELECT * FROM report_rated ORDER BY agreement, image_id, shard_id LIMIT $most"
_LABELS_OF = """
SELECT image_id, shard_id, label, iou, area_a IS NOT NULL AS first, area_b IS NOT NULL AS second
FROM report_pairs WHERE list_contains($images, image_id) ORDER BY iou, label
"""


@dataclass(frozen=True)
class ClassPair:
    """A label in two runs: images with a mask of it in each and in both; ``iou`` is the mean where both."""

    label: str
    first: int
    second: int
    both: int
    iou: float | None


@dataclass(frozen=True)
class LabelPair:
    """A label of one image: the IoU of the two masks, 0 where only one run has it."""

    label: str
    iou: float
    first: bool
    second: bool


@dataclass(frozen=True)
class ImagePair:
    """An image of both runs; ``agreement`` is the mean IoU of the labels that either run found in it."""

    key: str
    image: ImageRef
    agreement: float
    labels: tuple[LabelPair, ...]


@dataclass(frozen=True)
class Comparison:
    """Two runs on their common images; ``worst`` are those with the least agreement."""

    first: RunFigures
    second: RunFigures
    sample: ShardSample
    images: int
    agreement: float
    bins: tuple[Bin, ...]
    classes: tuple[ClassPair, ...]
    worst: tuple[ImagePair, ...]


def compare_runs(
    db: duckdb.DuckDBPyConnection,
    runs: tuple[RunFigures, RunFigures],
    pictures: int,
    most: int = SAMPLE_IMAGES,
) -> Comparison | None:
    """Compare two runs on the images that both looked at, in a sample of shards; None where there is none.

    Args:
        runs: label or review runs, the first to be named first.
        pictures: how many images are told one by one.
        most: about how many images are compared.

    Raises:
        CatalogError: a mask is damaged.
    """
    first, second = runs
    sample = sample_shards(db, [second.run_id], most)
    given = {"first": first.run_id, "second": second.run_id, "shards": list(sample.shards)}
    db.execute(_IMAGES, {**given, "seen": list(SEEN)})
    db.execute(_PAIRS, given)
    db.execute(_RATED)
    images, agreement = db.execute(_TOTALS).fetchall()[0]
    if not images:
        return None
    bins = dict(db.execute(_BINS).fetchall())
    return Comparison(
        first,
        second,
        sample,
        images,
        agreement,
        bins=tuple(Bin(f"{i / 10:.1f}", bins.get(i, 0)) for i in range(10)),
        classes=tuple(ClassPair(*row) for row in db.execute(_CLASSES).fetchall()),
        worst=_worst(db, pictures),
    )


def chosen_pair(runs: Sequence[RunFigures], named: tuple[str, str]) -> tuple[RunFigures, RunFigures]:
    """Return the two runs of these ids.

    Raises:
        CatalogError: the version has no such finished label or review run.
    """
    known = {r.run_id: r for r in runs if r.kind in COMPARED and r.status == "finished"}
    for run_id in named:
        if run_id not in known:
            there = ", ".join(sorted(known)) or "none"
            raise CatalogError(f"no finished label or review run {run_id!r} to compare; there are: {there}")
    return known[named[0]], known[named[1]]


def likely_pairs(runs: Sequence[RunFigures]) -> list[tuple[RunFigures, RunFigures]]:
    """Return pairs of runs of one corpus, older first, the most telling pair first.

    A review is held against the run that it corrects, a label run against the one before it.
    """
    able = [r for r in runs if r.kind in COMPARED and r.status == "finished"]
    pairs = []
    for place, newer in enumerate(able):
        older = [r for r in able[place + 1 :] if r.corpus == newer.corpus]
        corrected = [r for r in older if r.run_id == newer.parent_run_id]
        pairs += [(r, newer) for r in (corrected or older)[:1]]
    return pairs


def _worst(db: duckdb.DuckDBPyConnection, most: int) -> tuple[ImagePair, ...]:
    rows = records(db, _WORST, most=most)
    labels: dict[tuple[str, str], list[LabelPair]] = {(r["image_id"], r["shard_id"]): [] for r in rows}
    for found in records(db, _LABELS_OF, images=[r["image_id"] for r in rows]) if rows else ():
        place = found.pop("image_id"), found.pop("shard_id")
        if place in labels:
            labels[place].append(LabelPair(**found))
    return tuple(
        ImagePair(
            r["key"],
            ImageRef(r["image_id"], r["shard_id"], r["height"], r["width"]),
            r["agreement"],
            tuple(labels[r["image_id"], r["shard_id"]]),
        )
        for r in rows
    )
