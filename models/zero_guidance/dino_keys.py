"""Dense keys of a self-supervised transformer: the features that segment candidates are made of."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...schemas.errors import WeightsError
from ..encoders.clip import ClipEncoder
from ..encoders.positions import interpolate_positions, offset_positions
from ..objectness.backbones import clip_backbone
from ..objectness.timm_backbone import TimmBackbone


class KeySource(Protocol):
    """Sees an image as features on a grid.

    Attributes:
        id: name and checksum of the weights.
    """

    @property
    def id(self) -> str: ...

    def keys(self, image: Tensor) -> Tensor:
        """Return unit vectors (D, h, w) of a (3, H, W) image with RGB in [0, 1]."""
        ...


class DinoKeys(TimmBackbone):
    """Keys of the last block with overlapping patches (Sec. 3.1, after Amir et al. 2021).

    The patch embedding moves by ``stride`` pixels instead of a whole patch, so (H, W) pixels become
    1 + (H - p) // stride rows and as many columns, and the learnt positions are resampled to that grid.
    Attention over n positions costs n^2: a 224 x 224 image has 784 at stride 8 and 11,881 at stride 2.

    Args:
        spec: as :class:`TimmBackbone`; the model has a class token with a position of its own.
        device: where it runs.
        stride: pixels between patches.
        max_positions: where an image would have more, the stride is doubled until it has not; clustering
            takes 16 bytes for each pair of positions.
        dino_positions: resample positions as DINO's own code does, instead of by the grids' plain ratio.

    Raises:
        WeightsError: no such model, or one with other leading tokens.
    """

    def __init__(
        self,
        spec: str,
        device: torch.device,
        stride: int = 2,
        max_positions: int = 20_000,
        dino_positions: bool = False,
    ) -> None:
        super().__init__(spec, device)
        if self._model.num_prefix_tokens != 1 or self._model.no_embed_class:
            raise WeightsError(
                f"timm model {spec!r} has leading tokens without a position: use one like DINO's, with a "
                "class token only"
            )
        self._patch: int = self.stride
        self.stride = stride
        self._max_positions = max_positions
        self._resample = offset_positions if dino_positions else interpolate_positions

    @torch.no_grad()
    def keys(self, image: Tensor) -> Tensor:
        """Return the keys of a (3, H, W) image in [0, 1] as unit vectors, (D, h, w), heads concatenated.

        A side shorter than a patch is padded with zeros, after normalisation, to one patch.
        """
        normalised = ((image.to(self._device) - self._mean) / self._std)[None]
        short = [max(0, self._patch - side) for side in normalised.shape[-2:]]
        normalised = F.pad(normalised, (0, short[1], 0, short[0]))
        stride = self._stride_for(normalised.shape[-2], normalised.shape[-1])
        tokens, grid = self._before_last_block(normalised, stride)
        keys = self._last_keys(tokens)[0, 1:]
        return F.normalize(keys, dim=-1).T.unflatten(1, grid)

    def _stride_for(self, height: int, width: int) -> int:
        stride = self.stride
        while (1 + (height - self._patch) // stride) * (1 + (width - self._patch) // stride) > (
            self._max_positions
        ):
            stride *= 2
        return stride

    def _last_keys(self, tokens: Tensor) -> Tensor:
        """Return (1, n, D): of the last block only the norm and the key projection run."""
        last = self._model.blocks[-1]
        weight, bias = last.attn.qkv.weight.chunk(3)[1], last.attn.qkv.bias
        keys = F.linear(last.norm1(tokens), weight, None if bias is None else bias.chunk(3)[1])
        keys = last.attn.k_norm(keys.unflatten(-1, (last.attn.num_heads, -1)))
        return keys.flatten(2)


class ClipKeys:
    """The dense features of a CLIP that is loaded anyway, for machines without a second model.

    They know less of where things end than DINO's; the paper does not use them. The image's mean is
    subtracted first: rectified features all point one way, and no two segments would differ enough.
    """

    def __init__(self, clip: ClipEncoder) -> None:
        self._backbone = clip_backbone(clip)
        self.id = self._backbone.id

    def keys(self, image: Tensor) -> Tensor:
        features = self._backbone(image[None]).features[0]
        return F.normalize(features - features.mean(dim=(1, 2), keepdim=True), dim=0)
