"""Tiling an image into patches, and the linear map from a grid of patches back to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TileGrid:
    """Patches of P x P pixels, at most P / ``divisor`` apart, over an image of height x width pixels; with
    divisor 1 there are ceil(H/P) x ceil(W/P).

    Where P does not divide a side, its patches overlap and are spread evenly from border to border. So each
    patch is P x P pixels of the picture, none shows padding or is a distorted sliver, and each lies where
    Upsample of Eq. 1, which stretches the grid over the whole image, puts its cell. Where P divides the
    side this is the plain partition. Along a side shorter than P there is one patch of that length.
    """

    height: int
    width: int
    patch: int
    divisor: int = 1

    @property
    def rows(self) -> int:
        return self._count(self.height)

    @property
    def columns(self) -> int:
        return self._count(self.width)

    def cut(self, image: Tensor) -> Tensor:
        """Cut (3, height, width) into (rows * columns, 3, p, q), row by row; p, q = P or the shorter side."""
        tall, wide = min(self.patch, self.height), min(self.patch, self.width)
        tops = _starts(self.height - tall, self.rows)
        lefts = _starts(self.width - wide, self.columns)
        return torch.stack([image[:, y : y + tall, x : x + wide] for y in tops for x in lefts])

    def _count(self, side: int) -> int:
        return 1 + max(0, math.ceil((side - self.patch) * self.divisor / self.patch))


def interpolation_matrix(pixels: int, cells: int) -> Tensor:
    """Return the (pixels, cells) float32 matrix of bilinear upsampling of one axis, align_corners False."""
    position = ((torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5).clamp(0, cells - 1)
    lower = position.floor().long()
    upper = (lower + 1).clamp(max=cells - 1)
    fraction = position - lower
    matrix = torch.zeros(pixels, cells, dtype=torch.float64)
    matrix.scatter_add_(1, lower[:, None], (1 - fraction)[:, None])
    matrix.scatter_add_(1, upper[:, None], fraction[:, None])
    return matrix.float()


def _starts(slack: int, count: int) -> list[int]:
    return [0] if count == 1 else [round(i * slack / (count - 1)) for i in range(count)]
