"""The text tower of an open_clip model, run on as many tokens as the prompts have."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn


class TextTower:
    """Texts as tokens to embeddings, cut at the longest prompt's end token where that changes nothing.

    CLIP pads every prompt to 77 tokens, reads the embedding off the end-of-text token, and lets a token see
    only those before it. So what follows the last end token of a batch cannot reach any embedding, and is not
    run: "a photo of a cat" is 7 tokens of 77. The final LN and the projection run on the end tokens only.

    A tower that is not causal or pools otherwise (SigLIP, Hugging Face models, CoCa) is given all tokens.

    Args:
        model: an open_clip model in evaluation mode, on ``device``.
        device: where it runs.
        dtype: of matrix products, under autocast; None leaves them in the weights' own type.

    Attributes:
        cuts: whether prompts are cut.
    """

    def __init__(self, model: Any, device: torch.device, dtype: torch.dtype | None = None) -> None:
        self._model, self.device, self._dtype = model, device, dtype
        self._parts: Any = getattr(model, "text", model)
        self._pool_type, self._end_id = _pooling(self._parts)
        self.cuts = self._pool_type in ("argmax", "eos")

    def ends(self, tokens: Tensor) -> Tensor:
        """Return the index of each prompt's end token, (N,) of (N, L); L - 1 where the tower is not cut."""
        if not self.cuts:
            return torch.full((len(tokens),), tokens.shape[1] - 1)
        if self._pool_type == "argmax":
            return tokens.argmax(dim=-1)
        return torch.eq(tokens, self._end_id).int().argmax(dim=-1)

    @torch.no_grad()
    def encode(self, tokens: Tensor) -> Tensor:
        """Embed (N, L) int64 tokens on the CPU, N at least 1: (N, D) float32 of unit norm, on ``device``."""
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None):
            if self.cuts:
                ends = self.ends(tokens)
                length = int(ends.max()) + 1
                embedded = self._encode_cut(tokens[:, :length].to(self.device), ends.to(self.device))
            else:
                embedded = self._model.encode_text(tokens.to(self.device))
        return F.normalize(embedded.float(), dim=-1)

    def _encode_cut(self, tokens: Tensor, ends: Tensor) -> Tensor:
        parts, length = self._parts, tokens.shape[1]
        dtype = parts.transformer.get_cast_dtype()
        x = parts.token_embedding(tokens).to(dtype) + parts.positional_embedding[:length].to(dtype)
        x = parts.transformer(x, attn_mask=parts.attn_mask[:length, :length])
        pooled = parts.ln_final(x[torch.arange(len(x), device=x.device), ends])
        projection = parts.text_projection
        if projection is None:
            return pooled
        return projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection


def _pooling(parts: Any) -> tuple[str, int]:
    """Return how a causal tower pools and its end-of-text id; an empty string for any other tower."""
    if not isinstance(parts, CLIP | TextTransformer) or getattr(parts, "cls_emb", None) is not None:
        return "", 0
    if parts.attn_mask is None:
        return "", 0
    if isinstance(parts, CLIP):
        return parts.text_pool_type, parts.text_eos_id
    return parts.pool_type, parts.eos_id
