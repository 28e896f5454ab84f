"""From segments of an image to unit vectors of CLIP's space (Sec. 3.2), and the crop-and-mask baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from torch import Tensor

from ...schemas.errors import ConfigError
from ..encoders.clip import ClipEncoder
from ..encoders.vit import Qkv, VitTrunk
from ..objectness.dense import split_heads
from .masked_attention import MaskRule, segment_attention

SEGMENT_BATCH = 16

Seen = Callable[[Tensor], Tensor]
"""An image that was looked at: (S, H, W) masks in [0, 1], float, to (S, E) float32 unit vectors."""


class SegmentEncoder(Protocol):
    """Embeds segments; what does not depend on the segment is computed once for an image."""

    def see(self, image: Tensor) -> Seen:
        """Look at a (3, H, W) image, RGB in [0, 1]."""
        ...


class MaskedTransformer:
    """Masked attention in the last blocks of a CLIP's vision transformer, in float32.

    The image is squashed to the tower's square, masks are resized by area to the grid of patches and stay
    soft; the class token's mask is 1. The blocks below the masked ones see no mask: their tokens are the same
    for every segment and are computed once (:meth:`VitTrunk.tokens_before`), and so are the first masked
    block's queries, keys and values.

    Args:
        clip: a CLIP with open_clip's vision transformer.
        rule: layers, subtraction, reading.
        batch: segments per forward pass.

    Raises:
        ConfigError: the tower has fewer blocks than are to be masked.
        WeightsError: the tower is no plain transformer.
    """

    def __init__(self, clip: ClipEncoder, rule: MaskRule, batch: int = SEGMENT_BATCH) -> None:
        self._clip, self._rule, self._batch = clip, rule, batch
        self._trunk = VitTrunk(clip.visual, clip.id)
        if not 1 <= rule.layers <= self._trunk.depth:
            raise ConfigError(
                f"{rule.layers} masked layers, but the transformer of CLIP {clip.id} has {self._trunk.depth}"
            )

    @torch.no_grad()
    def see(self, image: Tensor) -> Seen:
        square = _normalised_square(image, self._clip)
        grid, start = self._trunk.grid(square), self._trunk.depth - self._rule.layers
        tokens = self._trunk.tokens_before(square, start)
        first = self._trunk.block(start).qkv(tokens)

        @torch.no_grad()
        def embed(masks: Tensor) -> Tensor:
            weights = token_mask(masks.to(tokens), grid, self._trunk.prefix)
            parts = [self._embed(tokens, first, some) for some in weights.split(self._batch)]
            return F.normalize(torch.cat(parts).float(), dim=-1)

        return embed

    def _embed(self, tokens: Tensor, first: Qkv, mask: Tensor) -> Tensor:
        """Run the masked blocks on shared (1, n, D) tokens for (S, n) masks; (S, E), no norm."""
        start = self._trunk.depth - self._rule.layers
        for index in range(start, self._trunk.depth):
            block = self._trunk.block(index)
            qkv = first if index == start else block.qkv(tokens)
            tokens = block.finish(tokens, block.output(segment_attention(qkv, mask, self._rule)))
        return self._trunk.pool(tokens)


class MaskedPool:
    """Masked attention in the attention pool of a CLIP's ResNet, the one attention that it has.

    This is not of the paper, which knows transformers only: Eq. 1-4 applied to the pool, whose first token,
    the mean of the map, is the global token. Convolutions have spread context before.

    Args:
        clip: a CLIP with open_clip's ``ModifiedResNet``.
        rule: subtraction and reading; ``layers`` is of no account.
    """

    def __init__(self, clip: ClipEncoder, rule: MaskRule) -> None:
        self._clip, self._rule = clip, rule

    @torch.no_grad()
    def see(self, image: Tensor) -> Seen:
        x = self._clip.visual.stem(_normalised_square(image, self._clip))
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(self._clip.visual, name)(x)
        pool, grid = self._clip.visual.attnpool, (x.shape[-2], x.shape[-1])
        qkv = _pool_qkv(pool, x)

        @torch.no_grad()
        def embed(masks: Tensor) -> Tensor:
            mask = token_mask(masks.to(x), grid, 1)
            attended = segment_attention(qkv, mask, self._rule)[:, :, 0]
            return F.normalize(pool.c_proj(attended.flatten(1)).float(), dim=-1)

        return embed


class CropAndMask:
    """The baseline of Table 3: the segment's box, black outside the segment, as an image of its own."""

    def __init__(self, clip: ClipEncoder) -> None:
        self._clip = clip

    @torch.no_grad()
    def see(self, image: Tensor) -> Seen:
        def embed(masks: Tensor) -> Tensor:
            crops = [self._crop(image, mask.to(image)) for mask in masks]
            return self._clip.embed_crops(torch.stack(crops))

        return embed

    def _crop(self, image: Tensor, mask: Tensor) -> Tensor:
        rows, columns = mask.any(dim=1).nonzero()[:, 0], mask.any(dim=0).nonzero()[:, 0]
        box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        return _square(image[:, box[0], box[1]] * mask[box], self._clip.image_size)


def segment_encoder(clip: ClipEncoder, encoding: str, rule: MaskRule) -> SegmentEncoder:
    """Return the encoder that fits the CLIP's tower; ``encoding`` is ``attention`` or ``crop``."""
    if encoding == "crop":
        return CropAndMask(clip)
    if isinstance(clip.visual, ModifiedResNet):
        return MaskedPool(clip, rule)
    return MaskedTransformer(clip, rule)


def token_mask(masks: Tensor, grid: tuple[int, int], prefix: int) -> Tensor:
    """Resize (S, H, W) masks by area to (h, w) tokens, after 1 for each leading token: (S, p + h * w)."""
    patches = F.interpolate(masks[:, None], grid, mode="area").flatten(1)
    return torch.cat([patches.new_ones(len(patches), prefix), patches], dim=1)


def _pool_qkv(pool: AttentionPool2d, x: Tensor) -> Qkv:
    tokens = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1) + pool.positional_embedding
    projections = (pool.q_proj, pool.k_proj, pool.v_proj)
    return Qkv(*(split_heads(projection(tokens), pool.num_heads) for projection in projections))


def _normalised_square(image: Tensor, clip: ClipEncoder) -> Tensor:
    return ((_square(image.to(clip.device), clip.image_size) - clip.mean) / clip.std)[None]


def _square(image: Tensor, side: int) -> Tensor:
    """Squash (3, H, W) to a square, bicubic with antialiasing."""
    resized = F.interpolate(image[None], (side, side), mode="bicubic", align_corners=False, antialias=True)
    return resized[0].clamp(0, 1)
