"""Dense features in the space of CLIP's texts, as MaskCLIP takes them (Zhou et al. 2022, Sec. 3.2)."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import Tensor

from ...schemas.errors import WeightsError
from .clip import ClipEncoder
from .vit import VitTrunk

DenseMode = Literal["paper", "released"]
RESNET_STRIDE = 32


class DenseEmbedding(NamedTuple):
    """What MaskCLIP reads off the last layer, on a grid of one cell per stride x stride pixels.

    Args:
        features: (B, E, h, w) float32, each cell of unit norm, comparable with embedded texts.
        keys: (B, h * w, K) float32, not normalised, row by row.
    """

    features: Tensor
    keys: Tensor


class _Values(Protocol):
    stride: tuple[int, int]

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (B, E, h, w) and keys (B, h * w, K) of whole cells of normalised pixels."""
        ...


class DenseClip:
    """A CLIP's image tower without its pooling: one embedding for each cell of the grid.

    A vision transformer gives the last block's value path, LN1 -> v projection -> output projection -> final
    LN -> visual projection. ``paper`` leaves out the last block's residual and feed-forward half, as in the
    text; ``released`` keeps both, and passes keys through the output projection too, as the authors' code
    does. A ResNet gives its attention pool's v and c projections, as 1 x 1 convolutions, without positions,
    in either mode. Features are scaled to unit norm per cell, before anything is resized.

    The authors' code runs OpenAI's transformers with plain GELU and an LN epsilon of 1e-6; here they run as
    they were trained.

    Args:
        encoder: a CLIP with one of open_clip's own image towers.
        mode: which reading.

    Attributes:
        stride: (height, width) of a cell in pixels.

    Raises:
        WeightsError: the image tower is another one, e.g. timm's; its patch tokens are no embeddings.
    """

    def __init__(self, encoder: ClipEncoder, mode: DenseMode = "paper") -> None:
        self._encoder = encoder
        self._values = _values_of(encoder, mode)
        self.stride = self._values.stride

    @torch.no_grad()
    def embed(self, images: Tensor) -> DenseEmbedding:
        """Embed every cell and return the keys too.

        Args:
            images: (B, 3, H, W) float RGB in [0, 1], on any device. Zeros are added at the right and at the
                bottom, after normalisation, up to whole cells: the grid is (ceil(H / stride), ceil(W /
                stride)).
        """
        rows, columns = self.stride
        normalised = self._encoder.normalised(images)
        height, width = normalised.shape[-2:]
        padded = F.pad(normalised, (0, -width % columns, 0, -height % rows))
        with self._encoder.autocast():
            values, keys = self._values(padded)
        return DenseEmbedding(F.normalize(values.float(), dim=1), keys.float())

    def dense_features(self, images: Tensor) -> Tensor:
        """Return the (B, E, h, w) features of :meth:`embed`."""
        return self.embed(images).features


class _VitValues:
    def __init__(self, visual: VisionTransformer, name: str, mode: DenseMode) -> None:
        self._trunk, self._released = VitTrunk(visual, name), mode == "released"
        self.stride = self._trunk.patch

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        trunk, block = self._trunk, self._trunk.block(-1)
        tokens = trunk.tokens_before(images, -1)[:, trunk.prefix :]
        qkv = block.qkv(tokens)
        values = block.output(qkv.value)
        keys = block.output(qkv.key) if self._released else qkv.key.transpose(1, 2).flatten(2)
        embedded = trunk.project(block.finish(tokens, values) if self._released else values)
        return embedded.transpose(1, 2).unflatten(2, trunk.grid(images)), keys


class _ResNetValues:
    stride = (RESNET_STRIDE, RESNET_STRIDE)

    def __init__(self, visual: ModifiedResNet) -> None:
        self._visual = visual

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        visual, pool = self._visual, self._visual.attnpool
        x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(images)))))
        cells = x.flatten(2).transpose(1, 2)
        values = pool.c_proj(pool.v_proj(cells))
        return values.transpose(1, 2).unflatten(2, x.shape[-2:]), pool.k_proj(cells)


def _values_of(encoder: ClipEncoder, mode: DenseMode) -> _Values:
    visual = encoder.visual
    if isinstance(visual, ModifiedResNet):
        return _ResNetValues(visual)
    if isinstance(visual, VisionTransformer):
        return _VitValues(visual, encoder.id, mode)
    raise WeightsError(
        f"CLIP {encoder.id!r} has a {type(visual).__name__} as image tower, whose patch features do not lie "
        "in the space of texts: dense features need open_clip's own ViT or ResNet, such as ViT-B-16 or RN50"
    )
