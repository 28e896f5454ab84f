"""The image tower of a CLIP as a dense backbone, for objectness."""

from __future__ import annotations

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor

from ...schemas.errors import WeightsError
from ..encoders.clip import ClipEncoder
from .clip_trunks import RESNET_STRIDES, resnet_features, vit_features
from .dense import DenseBackbone, DenseFeatures

__all__ = ["ClipBackbone", "DenseBackbone", "DenseFeatures", "clip_backbone"]

DEFAULT_LAYER = "layer3"
KEYS = "keys"


class ClipBackbone:
    """The image tower of a CLIP that is already loaded.

    Args:
        clip: the encoder; it shares its weights with the backbone.
        layer: for a ResNet tower the stage whose output are the features, ``layer1`` (stride 4) to ``layer4``
            (stride 32), or several joined by ``+`` from fine to coarse, by default ``layer3``; a transformer
            has its last block's keys and takes None.

    Raises:
        WeightsError: the tower is neither a ResNet nor a plain transformer, or has no such layer.
    """

    def __init__(self, clip: ClipEncoder, layer: str | None = None) -> None:
        self._clip = clip
        self._trunk = clip.visual
        if isinstance(self._trunk, ModifiedResNet):
            self.layer = layer or DEFAULT_LAYER
            self._layers = _stages(self.layer, clip.id)
            self.stride = RESNET_STRIDES[self._layers[0]]
            self.dim = sum(getattr(self._trunk, name)[-1].conv3.out_channels for name in self._layers)
        else:
            trunk = _plain_transformer(self._trunk, clip.id)
            if layer not in (None, KEYS):
                raise WeightsError(
                    f"CLIP {clip.id} is a transformer and has no layer {layer!r}; leave it out"
                )
            self.layer, self.stride = KEYS, trunk.patch_size[0]
            self.dim = trunk.transformer.width
        self.id = f"clip:{clip.id}:{self.layer}"

    @torch.no_grad()
    def __call__(self, images: Tensor) -> DenseFeatures:
        normalised = (images.to(self._clip.device) - self._clip.mean) / self._clip.std
        if isinstance(self._trunk, ModifiedResNet):
            return resnet_features(self._trunk, normalised, self._layers)
        return vit_features(self._trunk, normalised)


def clip_backbone(clip: ClipEncoder, layer: str | None = None) -> ClipBackbone:
    """Return the dense backbone that shares its weights with ``clip``; see :class:`ClipBackbone`."""
    return ClipBackbone(clip, layer)


def _stages(layer: str, name: str) -> tuple[str, ...]:
    stages = tuple(layer.split("+"))
    if stages != tuple(known for known in RESNET_STRIDES if known in stages):
        raise WeightsError(
            f"CLIP {name} has no layer {layer!r}: give one of {', '.join(RESNET_STRIDES)}, "
            "or several joined by + from fine to coarse"
        )
    return stages


def _plain_transformer(trunk: object, name: str) -> VisionTransformer:
    if isinstance(trunk, VisionTransformer):
        blocks = trunk.transformer.resblocks
        if trunk.transformer.batch_first and all(isinstance(b, ResidualAttentionBlock) for b in blocks):
            return trunk
    raise WeightsError(
        f"CLIP {name} has an image tower of kind {type(trunk).__name__}, whose dense features are unknown: "
        "use objectness 'none', or 'bkg:' with a timm name"
    )
