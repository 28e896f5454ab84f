"""From MaskCLIP's cosines to labels: prompt denoising, key smoothing (Sec. 3.4), the background rules."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_REMOVED = -100.0  # the cosine of a denoised class in the authors' code


def denoise(cosines: Tensor, scale: float, threshold: float, kept: int = 0) -> Tensor:
    """Remove classes whose probability is below a threshold in all cells, unless that were all classes.

    Args:
        cosines: (C, h, w); not changed.
        scale: of the softmax over classes.
        threshold: in [0, 1].
        kept: this many leading classes are never removed.

    Returns:
        (C, h, w), removed classes at a cosine that no class can have.
    """
    surest = (scale * cosines).softmax(dim=0).flatten(1).amax(dim=1)
    removed = surest < threshold
    removed[:kept] = False
    return cosines if bool(removed.all()) else cosines.masked_fill(removed[:, None, None], _REMOVED)


def smooth(probabilities: Tensor, keys: Tensor, threshold: float, by_channel: bool) -> Tensor:
    """Replace p_i of unsure cells by sum_j (k_i . k_j) p_j over all cells j.

    The (n, n) matrix of all pairs is never made: k (k^T p) is the same product.

    Args:
        probabilities: (C, h, w).
        keys: (h * w, K).
        threshold: cells are unsure whose best probability is below; 1 smooths all.
        by_channel: divide each channel by its norm over the cells, as the authors' code does, instead of each
            key by its own norm, which makes k_i . k_j the cosine of the paper's equation.

    Returns:
        (C, h, w); values are no probabilities any more, and can be negative.
    """
    unit = F.normalize(keys, dim=0 if by_channel else 1)
    cells = probabilities.flatten(1)
    others = (cells @ unit) @ unit.T
    unsure = cells.amax(dim=0) < threshold
    return torch.where(unsure, others, cells).unflatten(1, probabilities.shape[1:])


def label_logits(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return labels (h, w) and their softmax probabilities of (C, h, w) logits, which are used up."""
    best, labels = logits.max(dim=0)
    return labels, logits.sub_(best).exp_().sum(dim=0).reciprocal_()


def label_shares(shares: Tensor, threshold: float | None = None) -> tuple[Tensor, Tensor]:
    """Label by the largest share of (C, h, w), a score being its part of what is positive.

    Args:
        shares: probabilities, or what smoothing made of them.
        threshold: where the score is below, the label is 0, with one minus the score, and labels are one
            higher elsewhere: class 0 is not among the shares. None: they are all classes.

    Returns:
        Labels (h, w) int64 and scores (h, w) in [0, 1].
    """
    best, labels = shares.max(dim=0)
    score = best.clamp(min=0) / shares.clamp(min=0).sum(dim=0).clamp(min=torch.finfo(shares.dtype).tiny)
    if threshold is None:
        return labels, score
    unsure = score < threshold
    return (labels + 1).masked_fill(unsure, 0), torch.where(unsure, 1 - score, score)
