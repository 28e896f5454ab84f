"""Polygons and run lengths of foreign files to masks, with nothing taken on trust.

pycocotools takes a list of four numbers for a box, reads on beyond an odd one, and asks for memory by the
length of an outline; so all that is held against the image first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ..rle import decode_mask, decode_runs


def polygons_mask(polygons: object, height: int, width: int) -> NDArray[np.bool_]:
    """Return the (height, width) union of polygons as pycocotools rasterises them.

    Args:
        polygons: a list of lists x0, y0, x1, y1 ... in pixels, of three points or more each. A point may lie
            outside the image, by at most the image's size.

    Raises:
        ValueError: they are something else.
    """
    if not isinstance(polygons, list | tuple) or not polygons:
        raise ValueError("there is no polygon")
    outlines = [_outline(polygon, height, width) for polygon in polygons]
    rle = coco_mask.merge(coco_mask.frPyObjects(outlines, height, width))
    return decode_mask(rle["counts"], height, width)


def rle_mask(rle: object, height: int, width: int) -> NDArray[np.bool_]:
    """Return the (height, width) mask of a COCO RLE, ``{"size": [height, width], "counts": ...}``.

    ``counts`` are run lengths down the columns, or these as a compressed text.

    Raises:
        ValueError, CatalogError: it is something else, damaged or of another size.
    """
    if not isinstance(rle, dict):
        raise ValueError("the segmentation is neither polygons nor an RLE")
    if rle.get("size") != [height, width]:
        raise ValueError(
            f"the RLE has size {str(rle.get('size'))[:40]} (height, width), the image {height}, {width}"
        )
    counts = rle.get("counts")
    if isinstance(counts, str):
        return decode_mask(counts.encode("ascii"), height, width)
    return decode_runs(_run_lengths(counts, height * width), height, width)


def rotated_rectangle(corner: tuple[float, float], size: tuple[float, float], degrees: float) -> list[float]:
    """Return the outline, x0, y0 ... x3, y3, of a rectangle turned clockwise about its upper left corner.

    Args:
        corner, size: x, y and width, height in pixels.
    """
    (x, y), (w, h) = corner, size
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = ((0.0, 0.0), (w, 0.0), (w, h), (0.0, h))
    return [place for dx, dy in corners for place in (x + dx * cos - dy * sin, y + dx * sin + dy * cos)]


def numbers(values: Sequence[object]) -> list[float]:
    """Return finite numbers as floats.

    Raises:
        ValueError: one is something else.
    """
    found = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(found) != len(values) or not all(map(math.isfinite, found)):
        raise ValueError(f"expected finite numbers, got {str(values)[:80]}")
    return found


def _outline(polygon: object, height: int, width: int) -> list[float]:
    if not isinstance(polygon, list | tuple) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"a polygon needs x and y of three points or more, got {str(polygon)[:80]}")
    outline = numbers(polygon)
    for places, side in ((outline[::2], width), (outline[1::2], height)):
        if min(places) < -side or max(places) > 2 * side:
            raise ValueError(f"a polygon lies far outside the image of {width} x {height} pixels")
    return outline


def _run_lengths(counts: object, pixels: int) -> NDArray[np.int64]:
    if not isinstance(counts, list) or not counts:
        raise ValueError("the RLE has no counts")
    if not all(type(count) is int and 0 <= count <= pixels for count in counts):
        raise ValueError("the counts of an RLE must be whole numbers within the image")
    return np.asarray(counts, np.int64)
