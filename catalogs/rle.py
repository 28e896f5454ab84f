"""Masks as COCO compressed run-length encodings, and what is measured of them for the catalog."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy import ndimage
from scipy.special import entr

from ..schemas.errors import CatalogError
from ..schemas.labelmap import BACKGROUND, IGNORE, LabelMap

_EIGHT_CONNECTED = np.ones((3, 3), np.bool_)
_STACK_BYTES = 1 << 26


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """Return the COCO compressed counts of a mask.

    Args:
        mask: (H, W) bool.
    """
    return bytes(coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"])


def decode_mask(rle: bytes, height: int, width: int) -> NDArray[np.bool_]:
    """Return the (height, width) mask of COCO compressed counts.

    Raises:
        CatalogError: the counts are damaged, or of a mask of another size. (pycocotools would leave pixels
            that they do not reach as they were in memory.)
    """
    return decode_runs(_run_lengths(rle), height, width)


def decode_runs(runs: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
    """Return the (height, width) mask of run lengths down the columns, the first of pixels outside the mask.

    Raises:
        CatalogError: a length is negative, or they do not fill the mask.
    """
    if (runs < 0).any() or runs.sum() != height * width:
        raise CatalogError(f"damaged mask: its runs do not fill {height} x {width} pixels")
    filled = np.arange(len(runs)) % 2 == 1
    return np.repeat(filled, runs).reshape(width, height).T


def mask_rows(label_map: LabelMap, *, min_area: int) -> list[dict[str, Any]]:
    """Measure every label of an image that covers at least ``min_area`` pixels, in the order of its names.

    Background and ignored pixels have no row. Ids with the same name are one label.

    Returns:
        The columns ``label``, ``height``, ``width``, ``rle``, ``bbox_x``, ``bbox_y``, ``bbox_w``, ``bbox_h``,
        ``area``, ``area_fraction``, ``components``, ``score`` and ``entropy`` of ``schemas.tables.MASKS``.
        Entropy is the mean over the mask's pixels of the entropy, in bits, of "this label or another", which
        a pixel's confidence p gives as -p log2 p - (1 - p) log2 (1 - p). A label map stores p and not the
        other labels' shares; the entropy over all labels is never lower than this (grouping property).
    """
    names, index = _indexed(label_map)
    areas = np.bincount(index.ravel(), minlength=len(names))
    scores = np.bincount(index.ravel(), label_map.scores.ravel().astype(np.float64), len(names))
    entropies = np.bincount(index.ravel(), pixel_entropy(label_map.scores).ravel(), len(names))
    kept = [i for i in range(1, len(names)) if areas[i] >= max(min_area, 1)]
    boxes = ndimage.find_objects(index, len(names) - 1) if kept else []
    return [
        {
            "label": names[i],
            "height": index.shape[0],
            "width": index.shape[1],
            "rle": rle,
            **_box(boxes[i - 1]),
            "area": int(areas[i]),
            "area_fraction": float(areas[i] / index.size),
            "components": int(ndimage.label(index[boxes[i - 1]] == i, _EIGHT_CONNECTED)[1]),
            "score": float(np.clip(scores[i] / areas[i], 0, 1)),
            "entropy": float(np.clip(entropies[i] / areas[i], 0, 1)),
        }
        for i, rle in zip(kept, _encoded(index, kept), strict=True)
    ]


def pixel_entropy(scores: NDArray[np.float16]) -> NDArray[np.float64]:
    """Return the binary entropy of each confidence in [0, 1], in bits; one beyond counts as 0 or 1."""
    return _entropies()[scores.view(np.uint16)]


@cache
def _entropies() -> NDArray[np.float64]:
    """Return the entropy of every float16, by its bits: a logarithm for every pixel would be slow."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    p = np.where(np.isnan(halves), np.float16(np.nan), halves).astype(np.float64).clip(0, 1)
    return np.asarray((entr(p) + entr(1 - p)) / np.log(2))


def _indexed(label_map: LabelMap) -> tuple[list[str], NDArray[np.intp]]:
    """Return distinct names, background first, and the (H, W) map of indices into them."""
    background = label_map.names[BACKGROUND] if label_map.names else ""
    names = list(dict.fromkeys((background, *label_map.names)))
    table = np.zeros(IGNORE + 1, np.intp)
    table[: len(label_map.names)] = [names.index(name) for name in label_map.names]
    return names, table[label_map.labels]


def _encoded(index: NDArray[np.intp], wanted: list[int]) -> list[bytes]:
    # COCO runs go down columns, so a transposed stack is already in the order that pycocotools wants.
    columns = np.ascontiguousarray(index.T)
    at_once = max(1, _STACK_BYTES // index.size)
    encoded: list[bytes] = []
    for start in range(0, len(wanted), at_once):
        ids = np.asarray(wanted[start : start + at_once])[:, None, None]
        encoded += [rle["counts"] for rle in coco_mask.encode((columns == ids).view(np.uint8).T)]
    return encoded


def _box(where: tuple[slice, slice]) -> dict[str, int]:
    rows, columns = where
    return {
        "bbox_x": columns.start,
        "bbox_y": rows.start,
        "bbox_w": columns.stop - columns.start,
        "bbox_h": rows.stop - rows.start,
    }


def _run_lengths(rle: bytes) -> NDArray[np.int64]:
    """Return the lengths of runs, the first of pixels outside the mask.

    A length is written in digits of five bits, lowest first, each in a byte from 48 on; 32 says that another
    digit follows, 16 in the last that the number is negative. From the fourth on it is the difference to the
    length two before (pycocotools, ``rleToString``).
    """
    digits = np.frombuffer(rle, np.uint8).astype(np.int64) - 48
    if not len(digits) or digits.min() < 0 or digits.max() > 63 or digits[-1] & 32:
        raise CatalogError("damaged mask: these are no COCO compressed counts")
    last = np.flatnonzero(digits & 32 == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    place = 5 * (np.arange(len(digits)) - np.repeat(first, last - first + 1))
    if place.max() > 35:
        raise CatalogError("damaged mask: a run is longer than any image")
    runs = np.add.reduceat((digits & 31) << place, first)
    runs -= np.where(digits[last] & 16, np.int64(32) << place[last], 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
