"""Dense features of open_clip's two own image towers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import Tensor

from .dense import (
    DenseFeatures,
    pad_to_multiple,
    query_attention,
    resize_positions,
    split_heads,
    to_grid,
)

RESNET_STRIDES = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}


def resnet_features(trunk: ModifiedResNet, images: Tensor, layers: Sequence[str]) -> DenseFeatures:
    """Return the outputs of some stages, with the attention pool's pooled query as attention.

    Several stages are concatenated on the grid of the first of them, coarser ones resized bilinearly. The
    attention lives on the last stage's grid (stride 32) and is resized likewise; for it the image is padded
    to whole cells of stride 32, and what the padding adds is cut off again.

    Args:
        trunk: the image tower.
        images: (B, 3, H, W), normalised.
        layers: keys of :data:`RESNET_STRIDES`, from fine to coarse.
    """
    rows, columns = (-(-side // RESNET_STRIDES[layers[0]]) for side in images.shape[-2:])
    x = trunk.stem(pad_to_multiple(images, RESNET_STRIDES["layer4"]))
    stages = {}
    for name in RESNET_STRIDES:
        x = stages[name] = getattr(trunk, name)(x)
    grid = stages[layers[0]].shape[-2:]
    features = torch.cat([_resize(stages[name], grid) for name in layers], dim=1)
    attention = _resize(pool_attention(trunk.attnpool, x), grid)
    return DenseFeatures(features[..., :rows, :columns], attention[..., :rows, :columns])


def pool_attention(pool: AttentionPool2d, x: Tensor) -> Tensor:
    """Return (B, heads, h, w): the attention of CLIP's attention pool over the (B, D, h, w) map it pools."""
    grid = (x.shape[-2], x.shape[-1])
    tokens = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
    tokens = tokens + resize_positions(pool.positional_embedding, grid)
    query = split_heads(pool.q_proj(tokens[:, :1]), pool.num_heads)[:, :, 0]
    keys = split_heads(pool.k_proj(tokens), pool.num_heads)
    return query_attention(query, keys, prefix=1).unflatten(-1, grid)


def vit_features(trunk: VisionTransformer, images: Tensor) -> DenseFeatures:
    """Return the last block's keys, heads concatenated and not normalised, and the CLS token's attention.

    Of the last block only the norm and the query and key projections run.

    Args:
        trunk: the image tower, of plain residual attention blocks.
        images: (B, 3, H, W), normalised.
    """
    patches = trunk.conv1(pad_to_multiple(images, trunk.patch_size[0]))
    grid = (patches.shape[-2], patches.shape[-1])
    tokens = patches.flatten(2).transpose(1, 2)
    tokens = torch.cat([trunk.class_embedding.expand(len(tokens), 1, -1), tokens], dim=1)
    tokens = trunk.ln_pre(tokens + resize_positions(trunk.positional_embedding, grid))
    *blocks, last = trunk.transformer.resblocks
    for block in blocks:
        tokens = block(tokens)
    tokens, attn = last.ln_1(tokens), last.attn
    weights, biases = attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3)
    query = F.linear(tokens[:, :1], weights[0], biases[0])
    keys = F.linear(tokens, weights[1], biases[1])
    attention = query_attention(
        split_heads(query, attn.num_heads)[:, :, 0], split_heads(keys, attn.num_heads), prefix=1
    )
    return DenseFeatures(to_grid(keys[:, 1:], grid), attention.unflatten(-1, grid), per_head=True)


def _resize(maps: Tensor, grid: Sequence[int]) -> Tensor:
    if maps.shape[-2:] == torch.Size(grid):
        return maps
    return F.interpolate(maps, size=tuple(grid), mode="bilinear", align_corners=False)
