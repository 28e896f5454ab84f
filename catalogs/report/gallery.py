"""Gallery items taken from a catalog that has no ground truth."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from ..corpora import CorpusReader
from ..query import connect
from .items import GalleryItem
from .label_maps import ImageRef, label_maps
from .photos import Photos, Wanted, read_photos
from .runs import counted_label_runs
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
_CAPTIONS = """
SELECT image_id, list(caption ORDER BY caption_index)[1:$most] FROM (
    SELECT image_id, caption_index, left(caption, $longest + 1) AS caption FROM captions
    WHERE list_contains($images, image_id) AND caption IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY image_id, caption_index ORDER BY run_id) = 1)
GROUP BY image_id
"""
# A web corpus has captions of megabytes, and the page is to stay small.
_LONGEST = 400
_MOST_CAPTIONS = 8


@dataclass(frozen=True)
class Pick:
    """A chosen image of a label run, and why it was chosen."""

    run_id: str
    key: str
    image: ImageRef
    group: str

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.image.shard_id, self.key, self.image.width * self.image.height)


def gallery_from_catalog(
    uri: str,
    version: int | None,
    corpus: CorpusReader,
    n: int = 48,
) -> list[GalleryItem]:
    """Show pseudo-masks of a catalog: a third most certain, a third least certain, a third at random.

    Certainty of a picture is the mean score of its masks, weighted by area. The choice depends on the catalog
    version alone. Pictures and maps have a longer side of at most `photos.LONGEST_SIDE`.

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
        picks = pick_gallery(db, corpus.name, n)
        return gallery_items(db, picks, read_photos(corpus, [pick.wanted for pick in picks]))


def pick_gallery(db: duckdb.DuckDBPyConnection, corpus: str, n: int) -> list[Pick]:
    """Rank every labelled picture three ways and take the three tops in turn, no picture twice."""
    rows = records(db, _PICKS, runs=counted_label_runs(db), corpus=corpus, most=n)
    taken: dict[str, Pick] = {}
    for done, (rank, group) in enumerate(_GROUPS.items(), start=1):
        want = min(len(rows), math.ceil(n * done / len(_GROUPS)))
        for row in sorted(rows, key=lambda r: r[rank]):
            if len(taken) >= want:
                break
            taken.setdefault(row["image_id"], _pick(row, group))
    return list(taken.values())


def gallery_items(db: duckdb.DuckDBPyConnection, picks: Sequence[Pick], photos: Photos) -> list[GalleryItem]:
    """Put photographs, masks and captions together; `photos` has every pick."""
    of_run: dict[str, list[ImageRef]] = defaultdict(list)
    for pick in picks:
        of_run[pick.run_id].append(pick.image)
    maps = {run: label_maps(db, run, images) for run, images in of_run.items()}
    said = captions_of(db, [pick.image.image_id for pick in picks])
    return [
        GalleryItem(
            pick.key,
            photos[pick.wanted.place],
            teacher=maps[pick.run_id][pick.image],
            captions=said.get(pick.image.image_id, ()),
            group=pick.group,
        )
        for pick in picks
    ]


def captions_of(db: duckdb.DuckDBPyConnection, images: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the first captions of each image, long ones by their beginning; an image without is left out."""
    given = {"images": list(images), "most": _MOST_CAPTIONS, "longest": _LONGEST}
    found = db.execute(_CAPTIONS, given).fetchall() if images else []
    return {image_id: tuple(_beginning(c) for c in captions) for image_id, captions in found}


def _beginning(caption: str) -> str:
    return caption if len(caption) <= _LONGEST else caption[:_LONGEST] + "…"


def _pick(row: dict[str, Any], group: str) -> Pick:
    image = ImageRef(row["image_id"], row["shard_id"], row["height"], row["width"])
    return Pick(row["run_id"], row["key"], image, group)
