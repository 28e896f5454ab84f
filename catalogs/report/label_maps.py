"""Masks of chosen images, painted as label maps in one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import numpy as np

from ...schemas.labelmap import BACKGROUND, LabelMap
from ..overlay import resized_labels
from ..rle import decode_mask
from .photos import LONGEST_SIDE
from .thumbnails import fit

_MASKS = """
SELECT image_id, shard_id, label, rle, score FROM masks
WHERE run_id = $run AND list_contains($shards, shard_id) AND list_contains($images, image_id)
ORDER BY area DESC, label
"""


@dataclass(frozen=True)
class ImageRef:
    """An image by its id and shard, with its size in pixels."""

    image_id: str
    shard_id: str
    height: int
    width: int


def label_maps(
    db: duckdb.DuckDBPyConnection, run_id: str, images: Iterable[ImageRef]
) -> dict[ImageRef, LabelMap]:
    """Return what a run found in each image; where masks overlap, the smaller lies on top.

    The maps have the images' aspect and a longer side of at most `photos.LONGEST_SIDE`.

    Raises:
        CatalogError: a mask is damaged.
    """
    wanted = {(image.image_id, image.shard_id): image for image in images}
    masks: dict[ImageRef, list[tuple[str, bytes, float]]] = defaultdict(list)
    given = {
        "run": run_id,
        "images": sorted({image_id for image_id, _ in wanted}),
        "shards": sorted({shard for _, shard in wanted}),
    }
    for image_id, shard_id, *mask in db.execute(_MASKS, given).fetchall() if wanted else ():
        if (image_id, shard_id) in wanted:
            masks[wanted[image_id, shard_id]].append((mask[0], mask[1], mask[2]))
    return {image: _painted(image, masks[image]) for image in wanted.values()}


def _painted(image: ImageRef, masks: list[tuple[str, bytes, float]]) -> LabelMap:
    labels = np.full((image.height, image.width), BACKGROUND, np.uint16)
    for index, (_, rle, _) in enumerate(masks, start=1):
        labels[decode_mask(rle, image.height, image.width)] = index
    small = resized_labels(labels, *fit(image.width, image.height, LONGEST_SIDE))
    scores = np.asarray([0.0, *(score for _, _, score in masks)], np.float16)
    return LabelMap(small, scores[small], ("background", *(label for label, _, _ in masks)))
