"""Crops of many images through an encoder in full batches."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .clip_diy_options import CropEncoder


def embed_in_batches(encoder: CropEncoder, crops: Iterable[Tensor], size: int) -> Tensor:
    """Embed crops in batches of ``size``, across the borders of scales and images.

    Args:
        crops: parts of (n, 3, S, S) in [0, 1].

    Returns:
        (N, D) of unit norm, in order; (0, 0) of no parts at all.
    """
    waiting, embedded = torch.empty(0), []
    for some in crops:
        waiting = torch.cat([waiting, some]) if len(waiting) else some
        while len(waiting) >= size:
            embedded.append(encoder.embed_crops(waiting[:size]))
            waiting = waiting[size:]
    if len(waiting):
        embedded.append(encoder.embed_crops(waiting))
    return torch.cat(embedded) if embedded else torch.empty(0, 0)
