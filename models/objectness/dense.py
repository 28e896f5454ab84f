"""What a dense backbone is, and the arithmetic that all of them share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class DenseFeatures:
    """What a backbone sees, on a grid of one cell per ``stride`` x ``stride`` pixels.

    Args:
        features: (B, D, h, w) float32.
        attention: (B, heads, h, w) float32, non-negative: how much the pooled (CLS) query attends to a cell;
            a backbone without attention gives its own measure of salience, in one head or more.
        per_head: whether ``features`` are the keys of those heads, concatenated.
    """

    features: Tensor
    attention: Tensor
    per_head: bool = False


class DenseBackbone(Protocol):
    """A frozen image backbone.

    Attributes:
        id: name and checksum of the weights, and the layer where there is a choice.
        stride: pixels per grid cell.
        dim: D, channels of the features.
    """

    @property
    def id(self) -> str: ...
    @property
    def stride(self) -> int: ...
    @property
    def dim(self) -> int: ...

    def __call__(self, images: Tensor) -> DenseFeatures:
        """Return features on the (ceil(H / stride), ceil(W / stride)) grid.

        The backbone normalises first and then zero-pads right and bottom to whole cells.

        Args:
            images: (B, 3, H, W) float RGB in [0, 1].
        """
        ...


def pad_to_multiple(images: Tensor, stride: int) -> Tensor:
    """Zero-pad (B, C, H, W) on the right and at the bottom to multiples of ``stride``."""
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % stride, 0, -height % stride))


def resize_positions(positions: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resample learnt positions, one leading token and a square grid, to another grid.

    Args:
        positions: (1 + n * n, D).
        grid: (h, w).

    Returns:
        (1 + h * w, D); the same tensor where the grid is already (n, n).
    """
    side = math.isqrt(positions.shape[0] - 1)
    if grid == (side, side):
        return positions
    lead, square = positions[:1], positions[1:].T.reshape(1, -1, side, side)
    resized = F.interpolate(square, grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([lead, resized.flatten(2)[0].T])


def query_attention(query: Tensor, keys: Tensor, prefix: int) -> Tensor:
    """Return the attention of one query over all tokens, without the tokens before the grid.

    Args:
        query: (B, heads, d).
        keys: (B, heads, prefix + n, d).
        prefix: leading tokens; they take part in the softmax, as in FOUND, so rows sum to at most 1.

    Returns:
        (B, heads, n).
    """
    logits = torch.einsum("bhd,bhnd->bhn", query, keys) / math.sqrt(query.shape[-1])
    return logits.softmax(dim=-1)[..., prefix:]


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Reshape (B, n, heads * d) to (B, heads, n, d)."""
    batch, length, width = tokens.shape
    return tokens.reshape(batch, length, heads, width // heads).transpose(1, 2)


def to_grid(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Reshape (B, h * w, D) to (B, D, h, w)."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, *grid)
