"""The bands of the images of a shard, made when one of a block of neighbours is asked for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...schemas.errors import CatalogError
from .bands import Bands, Stored, bands_of_images

# Counts parsed at a time: enough that the cost of a call does not show, and their digits stay in the cache.
_BLOCK_BYTES = 1 << 16


class ShardBands:
    """Makes bands block by block, and keeps them.

    Args:
        rles: (M,) binary, COCO compressed counts.
        first: (N + 1,) int64; image i has the masks ``first[i]`` up to ``first[i + 1]``.
        sizes: (2, N) int64 heights and widths.
    """

    def __init__(self, rles: pa.BinaryArray, first: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        _, offsets, data = rles.buffers()
        begins = np.frombuffer(offsets, np.int32)[rles.offset : rles.offset + len(rles) + 1]
        self._stored = Stored(
            np.frombuffer(data or b"", np.uint8), begins.astype(np.int64), first, sizes[0], sizes[1]
        )
        begin = self._stored.offsets[first[:-1]] - self._stored.offsets[0]
        self._blocks: NDArray[np.int64] = begin // _BLOCK_BYTES
        self._made: dict[int, tuple[int, list[Bands] | None]] = {}

    def of(self, row: int) -> Bands:
        """Return the bands of an image.

        Raises:
            CatalogError: one of its masks is damaged, or of an image of another size.
        """
        block = int(self._blocks[row])
        if block not in self._made:
            self._made[block] = self._make(block)
        begin, bands = self._made[block]
        return self._images(row, row + 1)[0] if bands is None else bands[row - begin]

    def _make(self, block: int) -> tuple[int, list[Bands] | None]:
        """Return the first image of a block and the bands of all; None where a mask of one is damaged."""
        begin, end = (int(np.searchsorted(self._blocks, block, side)) for side in ("left", "right"))
        try:
            return begin, self._images(begin, end)
        except CatalogError:
            return begin, None

    def _images(self, begin: int, end: int) -> list[Bands]:
        data, offsets, first, heights, widths = self._stored
        first = first[begin : end + 1]
        offsets = offsets[first[0] : first[-1] + 1]
        return bands_of_images(Stored(data, offsets, first - first[0], heights[begin:end], widths[begin:end]))
