"""Masks of one image painted over each other: class ids and weights straight from the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import BACKGROUND
from ..rle_batch import RunBatch, parse_counts


class PaintedMask(NamedTuple):
    """One mask: its class id (65535 to ignore), the weight of its pixels, and COCO compressed counts."""

    class_id: int
    weight: float
    rle: bytes


class Bands(NamedTuple):
    """An image as stretches down its columns that have one mask each.

    ``lengths`` (S,) int32 fill the image; ``masks`` (S,) int32 index the masks, -1 where there is none.
    """

    lengths: NDArray[np.int32]
    masks: NDArray[np.int32]


def bands_of(rles: Sequence[bytes], height: int, width: int) -> Bands:
    """Return the bands of masks; where they overlap, the later one lies on top.

    Raises:
        CatalogError: a mask is damaged, or of an image of another size.
    """
    if not rles:
        return _bands(np.array([height * width]), np.array([-1]))
    data = np.frombuffer(b"".join(rles), np.uint8)
    offsets = np.cumsum([0, *map(len, rles)])
    sizes = np.full((2, len(rles)), [[height], [width]], np.int64)
    runs = parse_counts(data, offsets).filling(sizes[0], sizes[1])
    starts, ends, masks = _insides(runs, height * width)
    order = np.argsort(starts, kind="stable")
    starts, ends, masks = starts[order], ends[order], masks[order]
    if (starts[1:] < ends[:-1]).any():
        return _layered(runs, height * width)
    # Gaps and masks in turn: a gap before each stretch, and one at the end.
    edges = np.empty(2 * len(starts) + 2, np.int64)
    edges[0], edges[-1], edges[1:-1:2], edges[2:-1:2] = 0, height * width, starts, ends
    owners = np.full(2 * len(starts) + 1, -1)
    owners[1::2] = masks
    return _bands(np.diff(edges), owners)


def paint_labels(masks: Sequence[PaintedMask], bands: Bands, height: int, width: int) -> NDArray[np.uint16]:
    """Return the (height, width) class ids, a column after the other in memory; 0 is background, 65535 is
    ignore.
    """
    ids = np.array([*(mask.class_id for mask in masks), BACKGROUND], np.uint16)
    return np.repeat(ids[bands.masks], bands.lengths).reshape(width, height).T


def paint_weights(
    masks: Sequence[PaintedMask], background: float, bands: Bands, height: int, width: int
) -> NDArray[np.float32]:
    """Return the (height, width) weights as the class ids lie, ``background`` where there is no mask."""
    weights = np.array([*(mask.weight for mask in masks), background], np.float32)
    return np.repeat(weights[bands.masks], bands.lengths).reshape(width, height).T


def _insides(runs: RunBatch, pixels: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return start, end and mask of every stretch inside a mask, mask after mask."""
    count = len(runs.first) - 1
    masks = np.repeat(np.arange(count), np.diff(runs.first))
    ends = np.cumsum(runs.lengths) - masks * pixels
    wanted = runs.inside & (runs.lengths > 0)
    return (ends - runs.lengths)[wanted], ends[wanted], masks[wanted]


def _layered(runs: RunBatch, pixels: int) -> Bands:
    """Paint mask by mask: every pixel is touched as often as masks lie on it, so only where they overlap."""
    canvas = np.full(pixels, -1)
    inside = runs.inside
    for mask, (first, last) in enumerate(zip(runs.first[:-1], runs.first[1:], strict=True)):
        canvas[np.repeat(inside[first:last], runs.lengths[first:last])] = mask
    edges = np.flatnonzero(np.diff(canvas, prepend=canvas[0] - 1))
    return _bands(np.diff(edges, append=pixels), canvas[edges])


def _bands(lengths: NDArray[np.int64], masks: NDArray[np.int64]) -> Bands:
    return Bands(lengths.astype(np.int32), masks.astype(np.int32))
