"""Bilinear sampling of a coarse grid at the pixels of an image, in bands of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """Where the pixels of one axis lie between its cells: value = lerp(lower, upper, fraction).

    Args:
        lower, upper: (pixels,) int64, neighbouring cells.
        fraction: (pixels,) float32 in [0, 1].
    """

    lower: Tensor
    upper: Tensor
    fraction: Tensor

    @classmethod
    def of(cls, pixels: int, cells: int, extent: float | None = None) -> Axis:
        """Lay ``pixels`` over the first ``extent`` of ``cells``, align_corners False.

        Args:
            pixels: how many pixels.
            cells: how many cells.
            extent: how many cells' lengths the pixels span; None: all, which is torch's ``interpolate``.
        """
        scale = (cells if extent is None else extent) / pixels
        position = ((torch.arange(pixels, dtype=torch.float64) + 0.5) * scale - 0.5).clamp(0, cells - 1)
        lower = position.floor().long()
        return cls(lower, (lower + 1).clamp(max=cells - 1), (position - lower).float())


def sample(values: Tensor, axes: Sequence[Axis], dim: int, pixels: Tensor | None = None) -> Tensor:
    """Sample (C, h, w) along a dimension by one axis after the other, as resizing several times does.

    Only the values that the wanted pixels need are computed, so the sizes in between cost no memory.

    Args:
        values: (C, h, w).
        axes: from the grid to the pixels; each but the last leads to the cells of the next.
        dim: 1 or 2.
        pixels: (n,) int64, which pixels of the last axis; None: all.
    """
    *before, last = axes
    lower, upper, fraction = last.lower, last.upper, last.fraction
    if pixels is not None:
        lower, upper, fraction = lower[pixels], upper[pixels], fraction[pixels]
    low, high = (
        sample(values, before, dim, cells) if before else values.index_select(dim, cells.to(values.device))
        for cells in (lower, upper)
    )
    shape = [-1 if axis == dim else 1 for axis in range(values.ndim)]
    return torch.lerp(low, high, fraction.to(values).view(shape))


def bands(values: Tensor, rows: Sequence[Axis], columns: Sequence[Axis], limit: int) -> Iterator[Tensor]:
    """Yield (C, n, W) bands, from top to bottom, of (C, h, w) sampled at all pixels.

    Args:
        values: (C, h, w).
        rows, columns: as of :func:`sample`.
        limit: values of a band, about; a band has at least one row.
    """
    across = sample(values, columns, 2)
    count = len(rows[-1].fraction)
    step = max(1, limit // max(1, across.shape[0] * across.shape[2]))
    for top in range(0, count, step):
        yield sample(across, rows, 1, torch.arange(top, min(top + step, count)))
