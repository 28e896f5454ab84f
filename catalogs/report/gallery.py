"""Gallery items taken from a catalog that has no ground truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CorpusError
from ...schemas.labelmap import BACKGROUND, LabelMap
from ...schemas.samples import Sample
from ..corpora import CorpusReader
from ..images import MAX_PIXELS, decode_image
from ..query import connect
from ..rle import decode_mask
from .figures import counted_label_runs
from .items import GalleryItem
from .sql import records

# The first n of each ranking are enough for n pictures, however much the rankings overlap.
_PICKS = """
WITH rated AS (
    SELECT run_id, image_id, sum(score * area) / sum(area) AS certainty
    FROM masks WHERE list_contains($runs, run_id) GROUP BY run_id, image_id
)
SELECT i.run_id, i.image_id, i.shard_id, i.key, i.width, i.height,
    row_number() OVER (ORDER BY certainty DESC NULLS LAST, image_id) AS high,
    row_number() OVER (ORDER BY certainty ASC NULLS LAST, image_id) AS low,
    row_number() OVER (ORDER BY md5(image_id)) AS chance
FROM images i LEFT JOIN rated USING (run_id, image_id)
WHERE list_contains($runs, i.run_id) AND i.corpus = $corpus AND i.status = 'labelled'
QUALIFY least(high, low, chance) <= $most
"""
_GROUPS = {"high": "most certain", "low": "least certain", "chance": "random"}
_MASKS = """
SELECT label, rle, score FROM masks WHERE run_id = $run AND image_id = $image ORDER BY area DESC, label
"""
_CAPTIONS = """
SELECT caption FROM captions WHERE image_id = $image AND caption IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY caption_index ORDER BY run_id) = 1 ORDER BY caption_index
"""


def gallery_from_catalog(
    uri: str,
    version: int | None,
    corpus: CorpusReader,
    n: int = 48,
) -> list[GalleryItem]:
    """Show pseudo-masks of a catalog: a third most certain, a third least certain, a third at random.

    Certainty of a picture is the mean score of its masks, weighted by area. The choice depends on the catalog
    version alone.

    Args:
        uri: the catalog.
        version: its version; default: the newest.
        corpus: the corpus that was labelled, for the photographs.
        n: how many pictures; fewer where the catalog has fewer.

    Raises:
        CatalogError: no catalog at `uri`, or no such version.
        CorpusError: a shard of a chosen picture, or the picture in it, is no longer in the corpus.
    """
    with connect(uri, version) as db:
        picks = _picks(db, corpus.name, n)
        photos = _photos(corpus, picks)
        return [_item(db, pick, photos[pick["key"]]) for pick in picks]


def _picks(db: duckdb.DuckDBPyConnection, corpus: str, n: int) -> list[dict[str, Any]]:
    """Rank every labelled picture three ways and take the three tops in turn, no picture twice."""
    rows = records(db, _PICKS, runs=counted_label_runs(db), corpus=corpus, most=n)
    taken: dict[str, dict[str, Any]] = {}
    for done, (rank, group) in enumerate(_GROUPS.items(), start=1):
        want = min(len(rows), math.ceil(n * done / len(_GROUPS)))
        for row in sorted(rows, key=lambda r: r[rank]):
            if len(taken) >= want:
                break
            taken.setdefault(row["image_id"], {**row, "group": group})
    return list(taken.values())


def _photos(corpus: CorpusReader, picks: Sequence[dict[str, Any]]) -> dict[str, NDArray[np.uint8]]:
    """Read only the shards that hold a chosen picture, each only as far as needed."""
    wanted: dict[str, dict[str, int]] = {}
    for pick in picks:
        wanted.setdefault(pick["shard_id"], {})[pick["key"]] = pick["width"] * pick["height"]
    photos: dict[str, NDArray[np.uint8]] = {}
    for shard in corpus.shards():
        missing = wanted.pop(shard.shard_id, {})
        samples = corpus.read(shard) if missing else iter(())
        for sample in samples:
            if isinstance(sample, Sample) and sample.key in missing:
                photos[sample.key] = decode_image(sample.image, max(MAX_PIXELS, missing.pop(sample.key)))
            if not missing:
                break
        if missing:
            raise CorpusError(f"shard {shard.shard_id!r} of {corpus.uri!r} no longer holds {min(missing)!r}")
    if wanted:
        raise CorpusError(f"corpus {corpus.uri!r} no longer has shard {min(wanted)!r}")
    return photos


def _item(db: duckdb.DuckDBPyConnection, pick: dict[str, Any], photo: NDArray[np.uint8]) -> GalleryItem:
    masks = db.execute(_MASKS, {"run": pick["run_id"], "image": pick["image_id"]}).fetchall()
    captions = db.execute(_CAPTIONS, {"image": pick["image_id"]}).fetchall()
    labels = np.full((pick["height"], pick["width"]), BACKGROUND, np.uint16)
    scores = np.zeros(labels.shape, np.float16)
    for index, (_, rle, score) in enumerate(masks, start=1):
        area = decode_mask(rle, *labels.shape)
        labels[area] = index
        scores[area] = score
    teacher = LabelMap(labels, scores, ("background", *(label for label, _, _ in masks)))
    return GalleryItem(
        pick["key"], photo, teacher=teacher, captions=tuple(c for (c,) in captions), group=pick["group"]
    )
