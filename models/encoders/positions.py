"""Learnt positions of a vision tower, resampled to another grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_DINO_OFFSET = 0.1


def interpolate_positions(positions: Tensor, learnt: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Resample learnt positions to a grid: bicubic, align_corners False, no antialiasing.

    This is what MaskCLIP's code (mmsegmentation's ``resize_pos_embed``) does at inference. open_clip and timm
    antialias where they resize positions; in torch that is another cubic as well (a = -0.5 instead of -0.75),
    so the two differ slightly even where the grid grows.

    Args:
        positions: (P + h0 * w0, D), the P positions of prefix tokens first; these are kept as they are.
        learnt: (h0, w0).
        grid: (h, w).

    Returns:
        (P + h * w, D); the same tensor where ``grid`` is ``learnt``.
    """
    if grid == learnt:
        return positions
    prefix, square = _parts(positions, learnt)
    resized = F.interpolate(square, grid, mode="bicubic", align_corners=False).flatten(2)[0].T
    return torch.cat([prefix, resized.to(positions.dtype)])


def offset_positions(positions: Tensor, learnt: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Resample learnt positions as DINO's code does, and all code that took it over.

    It asks for a grid that is larger by 0.1, against rounding in torch's interpolation, and so samples
    positions at slightly smaller steps than :func:`interpolate_positions`, of which the rest holds.
    """
    if grid == learnt:
        return positions
    prefix, square = _parts(positions, learnt)
    factors = [(want + _DINO_OFFSET) / have for want, have in zip(grid, learnt, strict=True)]
    resized = F.interpolate(square, scale_factor=factors, mode="bicubic", align_corners=False)
    return torch.cat([prefix, resized.flatten(2)[0].T.to(positions.dtype)])


def _parts(positions: Tensor, learnt: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return positions of prefix tokens (P, D), and those of the grid as (1, D, h0, w0) float32."""
    prefix = positions.shape[0] - learnt[0] * learnt[1]
    return positions[:prefix], positions[prefix:].T.reshape(1, -1, *learnt).float()
