"""Attention that looks at one segment, less what the image as a whole says (Sec. 3.2, Eq. 1-4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.vit import Qkv

Reading = Literal["paper", "released"]


@dataclass(frozen=True)
class MaskRule:
    """How attention is masked.

    Args:
        layers: the last so many blocks are masked; 4 are layers 21-24 of a ViT-L.
        subtract: subtract the global token's attention (Eq. 3); without, the ablation of Table 3.
        variance: sigma^2 of Eq. 4.
        reading: what the saliency S compares, see :func:`segment_attention`.
    """

    layers: int = 4
    subtract: bool = True
    variance: float = 2.5
    reading: Reading = "paper"


def segment_attention(qkv: Qkv, mask: Tensor, rule: MaskRule) -> Tensor:
    """Return A_out = A_masked - w A_0 for each segment (Eq. 3), (S, heads, n, d).

    A_masked is softmax(x, M) V with MaskedSoftmax(x, M) = e^x M / sum_j e^x_j M_j (Eq. 1). It is computed as
    plain attention with log M added to the logits, e^x M = e^(x + log M), so that fused kernels serve. A_0 is
    the row of the global token of the unmasked attention A. S and w (Eq. 2, 4) are a segment's own, one value
    per layer.

    - ``paper``: S is the cosine of the attention's outputs A_i and A_masked,i, heads concatenated, averaged
      over tokens.
    - ``released``: the authors' code compares the attention's weights instead, head by head, averaged over
      heads and tokens.

    Args:
        qkv: (S, heads, n, d) each; S may be 1 for all segments alike.
        mask: (S, n) in [0, 1], M of each segment; leading tokens have 1, so no row is masked out whole.
        rule: variance and reading.
    """
    bias = mask.log()[:, None, None, :]
    segments = len(mask)
    shared = Qkv(*(part.expand(segments, -1, -1, -1) for part in qkv))
    masked = F.scaled_dot_product_attention(shared.query, shared.key, shared.value, attn_mask=bias)
    if not rule.subtract:
        return masked
    plain = F.scaled_dot_product_attention(qkv.query, qkv.key, qkv.value)
    by_output = rule.reading == "paper"
    saliency = output_saliency(plain, masked) if by_output else weight_saliency(qkv, mask)
    weight = subtraction_weight(saliency, rule.variance)
    return masked - weight[:, None, None, None] * plain[:, :, :1]


def output_saliency(plain: Tensor, masked: Tensor) -> Tensor:
    """Return S of Eq. 2, (S,): the mean cosine of (1 or S, heads, n, d) and (S, heads, n, d) outputs."""
    one, two = (outputs.transpose(1, 2).flatten(2) for outputs in (plain, masked))
    return F.cosine_similarity(one, two, dim=-1).mean(dim=-1)


def weight_saliency(qkv: Qkv, mask: Tensor) -> Tensor:
    """Return the mean cosine of masked and unmasked attention weights, (S,).

    With P = softmax(x) the masked weights are P M / Z, and their scale Z cancels in the cosine:
    sum_j P_j^2 M_j / (|P| sqrt(sum_j P_j^2 M_j^2)). So P^2 is multiplied with the masks of all segments at
    once, and no masked weights are written out.
    """
    logits = (qkv.query @ qkv.key.transpose(-2, -1)) * qkv.query.shape[-1] ** -0.5
    squared = logits.softmax(dim=-1).square()
    products = squared @ torch.stack([mask, mask.square()], dim=-1)[:, None]
    inner, length = products[..., 0], products[..., 1].sqrt()
    whole = squared.sum(dim=-1).sqrt()
    return (inner / (whole * length).clamp_min(torch.finfo(inner.dtype).tiny)).mean(dim=(1, 2))


def subtraction_weight(saliency: Tensor, variance: float) -> Tensor:
    """Return w = exp(-(S + 1)^2 / (2 sigma^2)) (Eq. 4): 1 where S = -1, least where a segment is salient."""
    return torch.exp(-((saliency + 1) ** 2) / (2 * variance))
