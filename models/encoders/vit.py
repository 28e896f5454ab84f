"""An open_clip vision transformer, opened up: tokens of any image size, and blocks taken apart."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from open_clip.transformer import CustomResidualAttentionBlock, ResidualAttentionBlock, VisionTransformer
from torch import Tensor

from ...schemas.errors import WeightsError
from .positions import interpolate_positions


class Qkv(NamedTuple):
    """Queries, keys and values, each (B, heads, n, d); queries are not scaled by 1 / sqrt(d)."""

    query: Tensor
    key: Tensor
    value: Tensor


class VitBlock:
    """One residual block, in the parts from which variants of its attention are put together.

    ``block(tokens)`` is the block as it was trained, and equals
    ``block.finish(tokens, block.output(block.attend(block.qkv(tokens))))``. A variant replaces ``attend`` and
    keeps the rest; it sees heads one by one.

    Args:
        module: open_clip's ``ResidualAttentionBlock`` or ``CustomResidualAttentionBlock``, in evaluation
            mode; whether it wants the batch first does not matter here.

    Attributes:
        heads: number of attention heads.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self.heads: int = module.attn.num_heads

    def qkv(self, tokens: Tensor) -> Qkv:
        """Return the projections of LN1(tokens), tokens (B, n, D)."""
        attention = self._module.attn
        projected = F.linear(self._module.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if isinstance(self._module, CustomResidualAttentionBlock):
            query, key = attention.ln_q(query), attention.ln_k(key)
        return Qkv(query, key, value)

    def attend(self, qkv: Qkv, bias: Tensor | None = None) -> Tensor:
        """Return softmax(q k^T / sqrt(d) + bias) v, (B, heads, n, d).

        Args:
            qkv: of :meth:`qkv`.
            bias: added to the logits; broadcasts to (B, heads, n, n).
        """
        if bias is not None:
            batch, heads, count, _ = qkv.query.shape
            bias = bias.to(qkv.query.dtype).expand(batch, heads, count, qkv.key.shape[2])
        return F.scaled_dot_product_attention(qkv.query, qkv.key, qkv.value, attn_mask=bias)

    def weights(self, qkv: Qkv, bias: Tensor | None = None) -> Tensor:
        """Return softmax(q k^T / sqrt(d) + bias), (B, heads, n, n): what :meth:`attend` multiplies v with."""
        logits = (qkv.query @ qkv.key.transpose(-2, -1)) * qkv.query.shape[-1] ** -0.5
        return (logits if bias is None else logits + bias).softmax(dim=-1)

    def output(self, values: Tensor) -> Tensor:
        """Concatenate heads and project: (B, heads, n, d) to (B, n, D), what the residual path is given."""
        attention = self._module.attn
        if isinstance(self._module, CustomResidualAttentionBlock):
            if attention.head_scale is not None:
                values = values * attention.head_scale
            joined = attention.ln_inner(values.transpose(1, 2).flatten(2))
            return self._module.ln_attn(attention.out_proj(joined))
        return attention.out_proj(values.transpose(1, 2).flatten(2))

    def finish(self, tokens: Tensor, output: Tensor) -> Tensor:
        """Add the attention's (B, n, D) output to the block's input tokens; run the feed-forward half."""
        tokens = tokens + self._module.ls_1(output)
        return tokens + self._module.ls_2(self._module.mlp(self._module.ln_2(tokens)))

    def __call__(self, tokens: Tensor) -> Tensor:
        return self.finish(tokens, self.output(self.attend(self.qkv(tokens))))


class VitTrunk:
    """An open_clip ``VisionTransformer`` as a trunk of blocks over tokens of any image size.

    The tokens that layers below k give do not depend on what happens from layer k on: ``tokens_before`` runs
    them once for an image, and the layers from k on may then run many times, with an attention of their own::

        tokens = trunk.tokens_before(images, k)           # once
        for i in range(k, trunk.depth):                   # once per variant
            block = trunk.block(i)
            tokens = block.finish(tokens, block.output(my_attention(block.qkv(tokens))))
        embeddings = trunk.pool(tokens)

    No method switches gradients or autocast; patch dropout, which is for training, is left out.

    Args:
        visual: the image tower of an open_clip model.
        name: what the weights are called in messages.

    Attributes:
        depth: number of blocks.
        width: D, the length of a token.
        prefix: tokens before those of the patches; open_clip's own towers have one, the class token.
        patch: (height, width) of a patch in pixels.

    Raises:
        WeightsError: the tower is another kind of model, pools by attention, or scales cosine attention.
    """

    def __init__(self, visual: Any, name: str = "clip") -> None:
        _check_plain(visual, name)
        self._visual = visual
        self._blocks = tuple(VitBlock(module) for module in visual.transformer.resblocks)
        self.depth = len(self._blocks)
        self.width: int = visual.conv1.out_channels
        self.patch: tuple[int, int] = tuple(visual.patch_size)
        self._learnt: tuple[int, int] = tuple(visual.grid_size)
        self.prefix = visual.positional_embedding.shape[0] - self._learnt[0] * self._learnt[1]

    def block(self, index: int) -> VitBlock:
        """Return a block, 0 the first; negative indices count from the last."""
        return self._blocks[index]

    def grid(self, images: Tensor) -> tuple[int, int]:
        """Return the rows and columns of patches of (B, 3, H, W) images.

        Raises:
            ValueError: H or W is no multiple of the patch; the remainder would be lost without a word.
        """
        height, width = images.shape[-2:]
        if height % self.patch[0] or width % self.patch[1] or not height or not width:
            raise ValueError(f"images of {height}x{width} are not whole patches of {self.patch}")
        return height // self.patch[0], width // self.patch[1]

    def embed(self, images: Tensor) -> Tensor:
        """Return what the first block is given, (B, prefix + h * w, D).

        Args:
            images: (B, 3, H, W) normalised; H and W are multiples of the patch. Positions are resampled where
                the grid is not the learnt one (:func:`interpolate_positions`).
        """
        grid, visual = self.grid(images), self._visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        leading = visual.class_embedding.to(patches.dtype).expand(len(patches), self.prefix, -1)
        positions = interpolate_positions(visual.positional_embedding, self._learnt, grid)
        return visual.ln_pre(torch.cat([leading, patches], dim=1) + positions.to(patches.dtype))

    def run(self, tokens: Tensor, start: int, stop: int) -> Tensor:
        """Run blocks start to stop - 1 on (B, n, D)."""
        for block in self._blocks[start:stop]:
            tokens = block(tokens)
        return tokens

    def tokens_before(self, images: Tensor, block: int) -> Tensor:
        """Return the input of a block, (B, prefix + h * w, D); ``depth`` stands for the end of the trunk."""
        return self.run(self.embed(images), 0, block if block >= 0 else self.depth + block)

    def project(self, tokens: Tensor) -> Tensor:
        """Return each token's own embedding, (B, n, D) to (B, n, E): final LN and projection, no norm."""
        return self._projected(self._visual.ln_post(tokens))

    def pool(self, tokens: Tensor) -> Tensor:
        """Return the image's embedding as the tower pools it, by class token or mean: (B, E), no norm."""
        if self._visual.final_ln_after_pool:
            return self._projected(self._visual.ln_post(self._reduce(tokens)))
        return self._projected(self._reduce(self._visual.ln_post(tokens)))

    def _reduce(self, tokens: Tensor) -> Tensor:
        return tokens[:, self.prefix :].mean(dim=1) if self._visual.pool_type == "avg" else tokens[:, 0]

    def _projected(self, tokens: Tensor) -> Tensor:
        return tokens if self._visual.proj is None else tokens @ self._visual.proj.to(tokens.dtype)


def _check_plain(visual: Any, name: str) -> None:
    if not isinstance(visual, VisionTransformer):
        raise WeightsError(
            f"the image tower of CLIP {name!r} is a {type(visual).__name__}, not open_clip's own vision "
            "transformer: its tokens cannot be taken apart; choose a ViT model such as ViT-B-16"
        )
    if visual.attn_pool is not None or visual.pool_type not in ("tok", "avg"):
        raise WeightsError(
            f"the image tower of CLIP {name!r} pools by attention or not at all: its patch tokens have no "
            "place in the space of texts; choose a ViT model with a class token such as ViT-B-16"
        )
    for block in visual.transformer.resblocks:
        if not isinstance(block, ResidualAttentionBlock | CustomResidualAttentionBlock):
            raise WeightsError(f"CLIP {name!r} has blocks of unknown kind {type(block).__name__}")
        if getattr(block.attn, "logit_scale", None) is not None:
            raise WeightsError(f"CLIP {name!r} has scaled cosine attention, which is not supported")
