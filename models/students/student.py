"""The student: a CLIP's image trunk and a light decoder, U-Net style."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ...schemas.config import Frozen
from .trunk import ResNetTrunk, TrunkSpec, ViTTrunk, build_trunk


class StudentSpec(Frozen):
    """Everything but the weights; stored with them.

    Args:
        name: of the encoder that the trunk was copied from.
        classes: in the order of the logits; ``classes[0]`` is the background.
        short_side: images are resized to this short side before the network sees them, in pixels.
        mean, std: per RGB channel, of images in [0, 1].
        min_confidence: a pixel whose best class is less probable is answered as background. Pseudo-labels
            give things outside the vocabulary now this name and now that, so a student is unsure of them.
        width: channels of the decoder.
    """

    name: str
    classes: tuple[str, ...] = Field(min_length=2)
    short_side: int
    min_confidence: float = Field(ge=0, le=1)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    width: int
    trunk: TrunkSpec


class Student(nn.Module):
    """Float RGB images (B, 3, H, W) in [0, 1] -> logits (B, C, H, W), C = ``len(spec.classes)``.

    From coarse to fine, each level adds a 1x1 projection of the trunk's features to the upsampled level
    below and mixes them with a 3x3 convolution (FPN, Lin et al. 2017, Sec. 3). Every level gives logits of
    its own, which add up from coarse to fine (skip fusion of FCN, Long et al. 2015, Sec. 4.2): the head
    then learns from the trunk's semantic layers directly, in far fewer steps than through the whole
    top-down path.

    Args:
        spec: the architecture.
        trunk: starts from these weights; without it the trunk is untrained.
    """

    def __init__(self, spec: StudentSpec, trunk: ResNetTrunk | ViTTrunk | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = trunk if trunk is not None else build_trunk(spec.trunk)
        self.decoder = Decoder(self.trunk.channels, spec.width, len(spec.classes))
        self.register_buffer("mean", torch.tensor(spec.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        coarse = self.coarse_logits(images)
        rows, columns = (-height % self.trunk.stride, -width % self.trunk.stride)
        size = (height + rows, width + columns)
        full = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        return full[..., :height, :width]

    def coarse_logits(self, images: Tensor) -> Tensor:
        """(B, C, h, w) logits of the finest level, over the image zero-padded right and below to the
        trunk's stride.
        """
        height, width = images.shape[-2:]
        normed = (images - self.mean) / self.std
        padded = F.pad(normed, (0, -width % self.trunk.stride, 0, -height % self.trunk.stride))
        return self.decoder(self.trunk(padded))


class Decoder(nn.Module):
    """Feature pyramid, fine to coarse, to logits at the resolution of its finest level."""

    def __init__(self, channels: tuple[int, ...], width: int, classes: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(_conv_norm_act(c, width, 1) for c in channels)
        self.mix = nn.ModuleList(_conv_norm_act(width, width, 3) for _ in channels[:-1])
        self.head = nn.ModuleList(nn.Conv2d(width, classes, 1) for _ in channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self.lateral[-1](features[-1])
        logits = self.head[-1](x)
        for i in reversed(range(len(features) - 1)):
            side = self.lateral[i](features[i])
            x = self.mix[i](side + _resize(x, side))
            logits = self.head[i](x) + _resize(logits, side)
        return logits


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _conv_norm_act(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
