"""For each frequent label, the masks at its extremes: most and least certain, largest and smallest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from ..overlay import resized_labels
from ..rle import decode_mask
from .photos import Photos, Wanted
from .sample import ShardSample
from .sql import records

_LABELS = """
SELECT label FROM masks WHERE list_contains($runs, run_id) GROUP BY label
ORDER BY count(*) DESC, label LIMIT $most
"""
# Ranks are given to narrow rows; only the winners' masks are read. The first 4n of each ranking are enough
# for n of each kind, however much the rankings overlap.
_PICKS = """
WITH ranked AS (
    SELECT run_id, shard_id, image_id, label,
        row_number() OVER (PARTITION BY label ORDER BY score DESC, image_id) AS high,
        row_number() OVER (PARTITION BY label ORDER BY score ASC, image_id) AS low,
        row_number() OVER (PARTITION BY label ORDER BY area_fraction DESC, image_id) AS large,
        row_number() OVER (PARTITION BY label ORDER BY area_fraction ASC, image_id) AS small
    FROM masks WHERE list_contains($runs, run_id) AND list_contains($shards, shard_id)
        AND list_contains($labels, label)
    QUALIFY least(high, low, large, small) <= $most)
SELECT ranked.*, key, height, width, rle, bbox_x, bbox_y, bbox_w, bbox_h, area, area_fraction, score
FROM ranked JOIN masks USING (run_id, shard_id, image_id, label)
WHERE list_contains($runs, run_id) AND list_contains($shards, shard_id) AND list_contains($labels, label)
ORDER BY high, image_id
"""
KINDS = {"high": "most certain", "low": "least certain", "large": "largest", "small": "smallest"}
# A mask is shown with so much of the picture around it, as a share of its box, and at least this share of its
# shorter side to either side of the mask's middle.
_MARGIN = 0.2
_CLOSEST = 0.25
# Width over height of what is shown, where the picture allows it.
_ASPECT = 4 / 3


@dataclass(frozen=True)
class ClassMask:
    """One mask of a label with why it is shown.

    Args:
        label: its class.
        key: the picture's key in its corpus.
        kind: one of `KINDS`' values.
        mask: (H, W) bool, the neighbourhood of the mask's box.
        photo: (H', W', 3) uint8 RGB of the same neighbourhood; None where the corpus is gone.
        score: mean pixel confidence in [0, 1].
        area: in pixels.
        area_fraction: share of the whole picture in (0, 1].
    """

    label: str
    key: str
    kind: str
    mask: NDArray[np.bool_]
    photo: NDArray[np.uint8] | None
    score: float
    area: int
    area_fraction: float


@dataclass(frozen=True)
class MaskPick:
    """A chosen mask as it lies in the catalog."""

    row: dict[str, Any]
    kind: str

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.row["shard_id"], self.row["key"], self.row["height"] * self.row["width"])


def pick_masks(
    db: duckdb.DuckDBPyConnection, runs: Sequence[str], sample: ShardSample, labels: int, each: int = 2
) -> list[MaskPick]:
    """Choose masks for the page, by label from the most frequent one down.

    Args:
        runs: label runs.
        sample: the shards in which extremes are looked for.
        labels: how many labels.
        each: how many masks of each kind; no mask is chosen twice.
    """
    names = [name for (name,) in db.execute(_LABELS, {"runs": list(runs), "most": labels}).fetchall()]
    given = {"runs": list(runs), "labels": names, "shards": list(sample.shards), "most": each * len(KINDS)}
    by_label: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for row in records(db, _PICKS, **given):
        by_label[row["label"]].append(row)
    return [pick for rows in by_label.values() for pick in _in_turn(rows, each)]


def class_masks(picks: Sequence[MaskPick], photos: Photos) -> list[ClassMask]:
    """Cut every chosen mask out of its picture; a picture that `photos` lacks leaves the bare mask.

    Raises:
        CatalogError: a mask is damaged.
    """
    return [_cut(pick, photos) for pick in picks]


def _in_turn(rows: Sequence[dict[str, Any]], each: int) -> Iterator[MaskPick]:
    """Let the kinds choose in turn, so that a class with few masks shows something of each."""
    taken: set[tuple[str, str]] = set()
    found: dict[str, list[MaskPick]] = {rank: [] for rank in KINDS}
    for _ in range(each):
        for rank, kind in KINDS.items():
            free = [row for row in rows if (row["image_id"], row["shard_id"]) not in taken]
            if free:
                best = min(free, key=lambda row: row[rank])
                taken.add((best["image_id"], best["shard_id"]))
                found[rank].append(MaskPick(best, kind))
    return (pick for picks in found.values() for pick in picks)


def _cut(pick: MaskPick, photos: Photos) -> ClassMask:
    row, photo = pick.row, photos.get(pick.wanted.place)
    mask = decode_mask(row["rle"], row["height"], row["width"])
    top, bottom, left, right = neighbourhood(row)
    return ClassMask(
        label=row["label"],
        key=row["key"],
        kind=pick.kind,
        mask=mask[top:bottom, left:right],
        photo=None if photo is None else _part(photo, (top, bottom, left, right), mask.shape),
        score=row["score"],
        area=row["area"],
        area_fraction=row["area_fraction"],
    )


def neighbourhood(row: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right), half-open, of a 4:3 box about a mask's, cut at the frame."""
    height, width = row["height"], row["width"]
    box = max(row["bbox_w"] / _ASPECT, row["bbox_h"])
    half = max(box * (0.5 + _MARGIN), min(height, width) * _CLOSEST)
    middle_y, middle_x = row["bbox_y"] + row["bbox_h"] / 2, row["bbox_x"] + row["bbox_w"] / 2
    top, bottom = _within(middle_y, half, height)
    left, right = _within(middle_x, half * _ASPECT, width)
    return top, bottom, left, right


def _within(middle: float, half: float, length: int) -> tuple[int, int]:
    """Shift a range into 0..length where it fits, else take all."""
    if 2 * half >= length:
        return 0, length
    first = min(max(0.0, middle - half), length - 2 * half)
    return int(first), min(length, int(np.ceil(first + 2 * half)))


def _part(
    photo: NDArray[np.uint8], part: tuple[int, int, int, int], size: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Cut a part, given in pixels of the picture's own size (height, width), from a reduced picture."""
    down, across = photo.shape[0] / size[0], photo.shape[1] / size[1]
    top, left = int(part[0] * down), int(part[2] * across)
    bottom, right = max(top + 1, round(part[1] * down)), max(left + 1, round(part[3] * across))
    return photo[top:bottom, left:right]


def mask_at(mask: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    """Return a mask at another size by nearest neighbour."""
    return resized_labels(mask.astype(np.uint16), width, height) > 0
