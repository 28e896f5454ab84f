"""From an image's tokens to one vector: the aggregations of CLIPpy (Sec. 3.2) and of its Appendix A.2.

Tokens are (B, N, D), as the tower gives them, not scaled to unit norm.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["max", "max_all", "average", "cls", "tsp", "wmp"]


def max_pool(tokens: Tensor) -> Tensor:
    """Return the largest value of each channel over locations, (B, D): x_d = max_i x_id (Sec. 3.2)."""
    return tokens.amax(dim=1)


def average_pool(tokens: Tensor) -> Tensor:
    """Return the mean over locations, (B, D)."""
    return tokens.mean(dim=1)


def weighted_max_pool(tokens: Tensor, temperature: float) -> Tensor:
    """Weighted Maximum Pooling, (B, D): each channel's values weigh that channel (Appendix A.2).

    w_id = exp(x_id / T) / sum_j exp(x_jd / T),  x_d = sum_i w_id x_id.

    T to 0 gives :func:`max_pool`, T to infinity :func:`average_pool`.
    """
    return ((tokens / temperature).softmax(dim=1) * tokens).sum(dim=1)


def text_similarity_pool(tokens: Tensor, similarity: Tensor, temperature: float) -> Tensor:
    """Text Similarity Pooling: locations weighed by how much they are like the text (Appendix A.2).

    w_ci = exp(s_ci / T) / sum_j exp(s_cj / T),  x_c = sum_i w_ci x_i.

    So an image has another vector for each text; T to infinity gives :func:`average_pool` for all.

    Args:
        tokens: (B, N, D).
        similarity: (B, C, N), cosines s of texts and locations.
        temperature: T.

    Returns:
        (B, C, D).
    """
    return (similarity / temperature).softmax(dim=-1) @ tokens


def pool(prefix: Tensor, patches: Tensor, similarity: Tensor, how: Pooling, temperature: float) -> Tensor:
    """Pool the tokens of one image.

    Args:
        prefix: (P, D), the class token first.
        patches: (N, D).
        similarity: (C, N) cosines of texts and patches, of which only ``tsp`` makes use.
        how: ``max``, ``average``, ``wmp``, ``tsp`` over patches; ``max_all`` over all tokens, as the released
            code trains; ``cls`` for the class token.
        temperature: of ``wmp`` and ``tsp``.

    Returns:
        (C, D) for ``tsp``, else (1, D).
    """
    if how == "tsp":
        return text_similarity_pool(patches[None], similarity[None], temperature)[0]
    if how == "wmp":
        return weighted_max_pool(patches[None], temperature)
    if how == "average":
        return average_pool(patches[None])
    if how == "cls":
        return prefix[:1]
    return max_pool((torch.cat([prefix, patches]) if how == "max_all" else patches)[None])
