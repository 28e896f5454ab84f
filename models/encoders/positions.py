"""Learnt positions of a vision tower, resampled to another grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def interpolate_positions(positions: Tensor, learnt: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Resample learnt positions to a grid: bicubic, align_corners False, no antialiasing.

    This is what DINO's code and MaskCLIP's (mmsegmentation's ``resize_pos_embed``) do at inference. open_clip
    antialiases where it resizes positions at load; in torch that is another cubic as well (a = -0.5 instead
    of -0.75), so the two differ slightly even where the grid grows.

    Args:
        positions: (P + h0 * w0, D), the P positions of prefix tokens first; these are kept as they are.
        learnt: (h0, w0).
        grid: (h, w).

    Returns:
        (P + h * w, D); the same tensor where ``grid`` is ``learnt``.
    """
    if grid == learnt:
        return positions
    prefix = positions.shape[0] - learnt[0] * learnt[1]
    square = positions[prefix:].T.reshape(1, -1, *learnt).float()
    resized = F.interpolate(square, grid, mode="bicubic", align_corners=False).flatten(2)[0].T
    return torch.cat([positions[:prefix], resized.to(positions.dtype)])
