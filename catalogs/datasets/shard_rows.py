"""The rows of one shard: which of its images a dataset has, and their masks in the order of painting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...schemas.errors import CatalogError
from ...schemas.labelmap import IGNORE
from ...schemas.tables import MASKS
from ..parts import read_part
from ..splits import split_of
from ..views import SEEN
from .bands import Bands
from .painting import PaintedMask
from .pinned import PinnedMasks
from .selection import Selection
from .shard_bands import ShardBands

_IMAGE_COLUMNS = ["image_id", "key", "width", "height", "sha256", "status"]
_MASK_COLUMNS = ["image_id", "label", "label_kind", "rle", "score"]
_BANDS = 7  # bytes of rows and of bands together, as a multiple of the encodings
_MASKS = pa.schema([MASKS.field(name) for name in _MASK_COLUMNS])


@dataclass(frozen=True)
class ShardRows:
    """Images of one shard and their masks.

    Args:
        images: rows of ``images`` that the dataset has, in stored order.
        human: (N,) bool: a person looked at the image.
        class_ids, weights: (M,) uint16 and float32 of the masks, those of an image together and in the order
            of painting; a label without an id, or a score too low, has the id 65535 and the weight 0.
        rles: (M,) binary, COCO compressed counts.
        first: (N + 1,) int64; image i has the masks ``first[i]`` up to ``first[i + 1]``.
    """

    images: pa.Table
    human: NDArray[np.bool_]
    class_ids: NDArray[np.uint16]
    weights: NDArray[np.float32]
    rles: pa.BinaryArray
    first: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Bytes in memory, once all images have been painted: a run takes 1 to 2 bytes, a band 6."""
        arrays = (self.human, self.class_ids, self.weights, self.first)
        return int(self.images.nbytes + _BANDS * self.rles.nbytes + sum(array.nbytes for array in arrays))

    def bands(self, row: int) -> Bands:
        """Return the bands of an image, which are made once and kept with the rows.

        Raises:
            CatalogError: one of its masks is damaged.
        """
        try:
            return self._bands.of(row)
        except CatalogError as err:
            raise CatalogError(f"image {self.images['key'][row].as_py()!r}: {err}") from err

    def painted(self, row: int) -> tuple[PaintedMask, ...]:
        """Return the masks of an image, in the order of painting."""
        mine = slice(int(self.first[row]), int(self.first[row + 1]))
        columns = (self.class_ids[mine].tolist(), self.weights[mine].tolist(), self.rles[mine].to_pylist())
        return tuple(PaintedMask(*mask) for mask in zip(*columns, strict=True))

    @cached_property
    def _bands(self) -> ShardBands:
        sizes = np.array([self.images["height"], self.images["width"]], np.int64)
        return ShardBands(self.rles, self.first, sizes)


def wanted_rows(pinned: PinnedMasks, shard_id: str, selection: Selection) -> NDArray[np.uint32]:
    """Return which rows of a shard's ``images`` part the dataset has: seen by the segmenter or by a person,
    and in the split.
    """
    rows = read_part("images", pinned.images[shard_id], ["image_id", "status"])
    seen = np.asarray(pc.is_in(rows["status"], pa.array(SEEN)))
    if pinned.review_run_ids:
        reviewed = pinned.reviews.masks(rows["image_id"].to_pylist(), ["image_id"])
        seen |= np.asarray(pc.is_in(rows["image_id"], pa.array(list(reviewed), pa.string())))
    if selection.split is not None:
        share, seed = selection.val_share, selection.split_seed
        splits = [split_of(image_id, share, seed) for image_id in rows["image_id"].to_pylist()]
        seen &= np.array([split == selection.split for split in splits], bool)
    return np.flatnonzero(seen).astype(np.uint32)


def read_shard_rows(
    pinned: PinnedMasks, shard_id: str, wanted: NDArray[np.uint32], min_score: float
) -> ShardRows:
    """Read the images and the masks of a shard.

    Args:
        wanted: rows of its ``images`` part.
        min_score: masks below are ignored.

    Raises:
        CatalogError: a file of the catalog is missing or damaged.
    """
    images = read_part("images", pinned.images[shard_id], _IMAGE_COLUMNS).take(pa.array(wanted))
    images = images.combine_chunks()
    masks, human = _masks(pinned, shard_id, images["image_id"])
    owner = np.asarray(pc.index_in(masks["image_id"], images["image_id"].combine_chunks()))
    order = np.lexsort((_places(masks["label"]), np.asarray(masks["score"]), owner))
    first = np.searchsorted(owner[order], np.arange(images.num_rows + 1))
    masks = masks.take(pa.array(order)).combine_chunks()
    ids, scores = _class_ids(masks["label"], pinned.classes), np.asarray(masks["score"])
    ids[scores < min_score] = IGNORE
    weights = np.where(ids == IGNORE, np.float32(0), scores)
    rles = masks["rle"].combine_chunks()
    return ShardRows(images.drop_columns(["status"]), human, ids, weights, rles, first)


def _class_ids(labels: pa.ChunkedArray, classes: Sequence[str]) -> NDArray[np.uint16]:
    encoded = labels.combine_chunks().dictionary_encode()
    ids = {name: number for number, name in enumerate(classes)}
    table = np.array([ids.get(name, IGNORE) for name in encoded.dictionary.to_pylist()], np.uint16)
    return table[np.asarray(encoded.indices)]


def _masks(
    pinned: PinnedMasks, shard_id: str, image_ids: pa.ChunkedArray
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Return the masks of images, a person's where one looked, and whether one did."""
    ids = image_ids.combine_chunks()
    part = pinned.masks.get(shard_id)
    masks = _of(read_part("masks", part, _MASK_COLUMNS), ids) if part else _MASKS.empty_table()
    drawn = pinned.reviews.masks(ids.to_pylist(), _MASK_COLUMNS) if pinned.review_run_ids else {}
    reviewed = pa.array(list(drawn), pa.string())
    human = np.asarray(pc.is_in(ids, reviewed))
    rows: Sequence[dict[str, object]] = [row for rows in drawn.values() for row in rows]
    teacher = _named(masks.filter(pc.invert(pc.is_in(masks["image_id"], reviewed))), pinned)
    return pa.concat_tables([teacher, pa.Table.from_pylist(rows, _MASKS)]), human


def _named(masks: pa.Table, pinned: PinnedMasks) -> pa.Table:
    """Call the masks of prototypes what people decided, and leave out those of rejected ones."""
    if not pinned.prototypes.labels:
        return masks
    rows = masks.select(["label", "label_kind"]).to_pylist()
    labels = pa.array([pinned.prototypes.label_of(row) for row in rows], pa.string())
    place = masks.column_names.index("label")
    named = masks.set_column(place, pa.field("label", pa.string()), labels)
    return named.filter(pc.is_valid(named["label"])).cast(_MASKS)


def _of(masks: pa.Table, image_ids: pa.Array) -> pa.Table:
    return masks.filter(pc.is_in(masks["image_id"], image_ids))


def _places(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the place of each text among the distinct ones in the order of Python's comparison."""
    encoded = texts.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    place = {name: i for i, name in enumerate(sorted(names))}
    return np.array([place[name] for name in names], np.int64)[np.asarray(encoded.indices)]
