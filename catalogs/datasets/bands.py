"""Where the masks of images lie: the runs of many images parsed, sorted and cut in one go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rle_batch import RunBatch, parse_counts

_SHORT = np.iinfo(np.int16).max


class Bands(NamedTuple):
    """An image as stretches down its columns that have one mask each.

    ``lengths`` (S,) int32, none 0, fill the image; ``masks`` (S,) int16, or int32 where a number does not
    fit, index the masks, -1 where there is none.
    """

    lengths: NDArray[np.int32]
    masks: NDArray[np.signedinteger]


class Stored(NamedTuple):
    """The masks of N images as they are stored, those of an image together and in the order of painting.

    ``data`` uint8 holds M COCO compressed counts, mask j from ``offsets[j]`` to before ``offsets[j + 1]``,
    (M + 1,) int64. Image i has the masks from ``first[i]`` to before ``first[i + 1]``, (N + 1,) int64 from 0
    to M, and ``heights[i]`` x ``widths[i]`` pixels, (N,) int64.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    first: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]


class _Insides(NamedTuple):
    """(S,) int64 stretches inside of masks in the order of their starts: images lie end to end."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    masks: NDArray[np.int64]
    images: NDArray[np.int64]


def bands_of(rles: Sequence[bytes], height: int, width: int) -> Bands:
    """Return the bands of the masks of one image; where they overlap, the later one lies on top.

    Raises:
        CatalogError: a mask is damaged, or of an image of another size.
    """
    data, offsets = np.frombuffer(b"".join(rles), np.uint8), np.cumsum([0, *map(len, rles)])
    sizes = np.array([[height], [width]])
    return bands_of_images(Stored(data, offsets, np.array([0, len(rles)]), sizes[0], sizes[1]))[0]


def bands_of_images(stored: Stored) -> list[Bands]:
    """Return the bands of every image; where masks overlap, the later one lies on top.

    Raises:
        CatalogError: a mask is damaged, or of an image of another size; the images are not told apart.
    """
    owner = np.repeat(np.arange(len(stored.heights)), np.diff(stored.first))
    runs = parse_counts(stored.data, stored.offsets)
    runs = runs.filling(stored.heights[owner], stored.widths[owner])
    pixels = stored.heights * stored.widths
    insides = _insides(runs, owner, np.cumsum(pixels) - pixels)
    overlap = insides.starts[1:] < insides.ends[:-1]
    layered = np.unique(insides.images[1:][overlap])
    if len(layered):
        insides = _Insides(*(column[~np.isin(insides.images, layered)] for column in insides))
    bands = _side_by_side(insides, stored.first, pixels)
    for image in layered.tolist():
        bands[image] = _layered(runs, stored.first[image : image + 2].tolist(), int(pixels[image]))
    return bands


def _insides(runs: RunBatch, owner: NDArray[np.int64], begins: NDArray[np.int64]) -> _Insides:
    masks = np.repeat(np.arange(len(runs.first) - 1), np.diff(runs.first))
    wanted = runs.inside & (runs.lengths > 0)
    # The masks lie end to end as they were parsed; each is moved to where its image begins.
    ends = np.cumsum(runs.lengths)
    moved = begins[owner] - np.concatenate(([0], ends))[runs.first[:-1]]
    masks, lengths = masks[wanted], runs.lengths[wanted]
    ends = ends[wanted] + moved[masks]
    starts = ends - lengths
    order = np.argsort(starts)
    masks = masks[order]
    return _Insides(starts[order], ends[order], masks, owner[masks])


def _side_by_side(insides: _Insides, first: NDArray[np.int64], pixels: NDArray[np.int64]) -> list[Bands]:
    """Return the bands of images whose masks do not overlap: a gap before each stretch, one at the end."""
    count, ends = len(pixels), np.cumsum(pixels)
    places = 2 * np.arange(len(insides.starts)) + insides.images + 1
    edges = np.empty(2 * len(places) + count + 1, np.int64)
    owners = np.full(len(edges) - 1, -1)
    before = np.searchsorted(insides.images, np.arange(count))
    edges[2 * before + np.arange(count)], edges[-1] = ends - pixels, ends[-1] if count else 0
    edges[places], edges[places + 1] = insides.starts, insides.ends
    owners[places] = insides.masks - first[insides.images]
    lengths = np.diff(edges)
    kept = np.flatnonzero(lengths)
    cuts = np.searchsorted(edges[kept], ends - pixels).tolist()
    lengths, owners = lengths[kept].astype(np.int32), _narrow(owners[kept])
    bounds = zip(cuts, [*cuts[1:], len(kept)], strict=True)
    return [Bands(lengths[begin:end], owners[begin:end]) for begin, end in bounds]


def _layered(runs: RunBatch, masks: Sequence[int], pixels: int) -> Bands:
    """Paint mask by mask: every pixel is touched as often as masks lie on it, so only where they overlap."""
    canvas = np.full(pixels, -1)
    inside = runs.inside
    bounds = runs.first[masks[0] : masks[1] + 1]
    for mask, (begin, end) in enumerate(pairwise(bounds.tolist())):
        canvas[np.repeat(inside[begin:end], runs.lengths[begin:end])] = mask
    edges = np.flatnonzero(np.diff(canvas, prepend=canvas[0] - 1))
    return Bands(np.diff(edges, append=pixels).astype(np.int32), _narrow(canvas[edges]))


def _narrow(masks: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    return masks.astype(np.int16 if masks.max(initial=-1) <= _SHORT else np.int32)
