"""Masks of one image painted over each other: class ids and weights straight from its bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import BACKGROUND
from .bands import Bands

Kind = TypeVar("Kind", np.uint16, np.float32)


class PaintedMask(NamedTuple):
    """One mask: its class id (65535 to ignore), the weight of its pixels, and COCO compressed counts."""

    class_id: int
    weight: float
    rle: bytes


def paint_labels(masks: Sequence[PaintedMask], bands: Bands, height: int, width: int) -> NDArray[np.uint16]:
    """Return the (height, width) class ids, a column after the other in memory; 0 is background, 65535 is
    ignore.
    """
    ids = np.array([*(mask.class_id for mask in masks), BACKGROUND], np.uint16)
    return _painted(ids, bands, height, width)


def paint_weights(
    masks: Sequence[PaintedMask], background: float, bands: Bands, height: int, width: int
) -> NDArray[np.float32]:
    """Return the (height, width) weights as the class ids lie, ``background`` where there is no mask."""
    return _painted(
        np.array([*(mask.weight for mask in masks), background], np.float32), bands, height, width
    )


def _painted(colours: NDArray[Kind], bands: Bands, height: int, width: int) -> NDArray[Kind]:
    """Return the (height, width) map of what the masks are painted with, the background's last."""
    found = colours[bands.masks]
    # An image without masks, and one that masks of one weight fill, need no run by run.
    if (found == found[0]).all():
        return np.full((width, height), found[0]).T
    return np.repeat(found, bands.lengths).reshape(width, height).T
