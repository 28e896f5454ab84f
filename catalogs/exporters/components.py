"""The connected parts of a mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..rle import decode_mask
from .records import ExportMask, ExportRecord

_EIGHT_CONNECTED = np.ones((3, 3), np.bool_)


@dataclass(frozen=True)
class Component:
    """One 8-connected part of a mask.

    Args:
        pixels: (h, w) bool, the part's own bounding box.
        x, y: column and row of the box in the image.
    """

    pixels: NDArray[np.bool_]
    x: int
    y: int
    area: int

    def in_image(self, height: int, width: int) -> NDArray[np.bool_]:
        """Return the part in a (height, width) mask."""
        whole = np.zeros((height, width), np.bool_)
        whole[self.y : self.y + self.pixels.shape[0], self.x : self.x + self.pixels.shape[1]] = self.pixels
        return whole


def components(record: ExportRecord, mask: ExportMask, min_area: int) -> Iterator[Component]:
    """Yield the parts of a mask that have at least ``min_area`` pixels, by their first pixel from the top.

    Raises:
        CatalogError: the mask is damaged.
    """
    parts, _ = ndimage.label(decode_mask(mask.rle, record.height, record.width), _EIGHT_CONNECTED)
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), 1):
        pixels = parts[rows, columns] == number
        area = int(pixels.sum())
        if area >= min_area:
            yield Component(pixels, columns.start, rows.start, area)
