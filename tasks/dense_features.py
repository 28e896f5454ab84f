"""Backbones as dense encoders: images to features on a grid, with the checksum of their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models.device import resolve_device
from ..models.encoders.clip import load_clip
from ..models.encoders.dense_clip import DenseClip
from ..models.encoders.weights import pinned_sha256, resolve_clip
from ..models.objectness.timm_backbone import TimmBackbone
from ..models.resizing import resize_short_side
from ..models.segmenters.base import to_tensor
from ..schemas.errors import ConfigError
from ..schemas.probe_config import CLIP_FEATURES, TIMM_FEATURES, ProbeConfig
from ..schemas.vocabulary import Vocabulary

_WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class DenseFeatures:
    """A backbone that has been loaded.

    Args:
        id: what it is, with the first digits of its checksum.
        encode: (H, W, 3) uint8 RGB to (D, h, w) float32.
        embed: classes to (C, D) unit vectors of the same space; None where there are no texts.
    """

    id: str
    weights: Mapping[str, str]
    encode: Callable[[NDArray[np.uint8]], Tensor]
    embed: Callable[[Vocabulary], Tensor] | None


def feature_files(config: ProbeConfig) -> dict[str, str]:
    """Return what -> sha256 of the weights that a configuration names, without loading a model.

    Weights that only timm knows how to find are left out.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: weights are missing or damaged.
    """
    if config.backbone == CLIP_FEATURES:
        return {"clip": pinned_sha256(resolve_clip(config.clip).file)}
    spec = _timm_spec(config.backbone)
    file = Path(spec) / _WEIGHTS_FILE if Path(spec).is_dir() else Path(spec.partition(":")[2])
    return {"backbone": pinned_sha256(file)} if file.is_file() else {}


def load_features(config: ProbeConfig) -> DenseFeatures:
    """Load the backbone that a configuration names.

    Raises:
        ConfigError: there is no such backbone or device.
        WeightsError: weights are missing, damaged, or of a model without dense features.
    """
    if config.backbone != CLIP_FEATURES:
        return _timm_features(config)
    clip = load_clip(config.clip, config.device)
    dense = DenseClip(clip)

    def encode(image: NDArray[np.uint8]) -> Tensor:
        return dense.dense_features(_picture(image, clip.device, config.short_side))[0]

    return DenseFeatures(f"clip:{clip.id}", {"clip": clip.sha256}, encode, clip.embed_text)


def _timm_features(config: ProbeConfig) -> DenseFeatures:
    device = resolve_device(config.device)
    backbone = TimmBackbone(_timm_spec(config.backbone), device)

    def encode(image: NDArray[np.uint8]) -> Tensor:
        return backbone(_picture(image, device, config.short_side)).features[0]

    return DenseFeatures(backbone.id, {"backbone": backbone.id}, encode, None)


def _timm_spec(backbone: str) -> str:
    spec = backbone.removeprefix(TIMM_FEATURES)
    if spec == backbone or not spec:
        raise ConfigError(
            f"no backbone {backbone!r}: give clip, or timm:NAME such as timm:vit_small_patch8_224.dino"
        )
    return spec


def _picture(image: NDArray[np.uint8], device: torch.device, short_side: int | None) -> Tensor:
    return resize_short_side(to_tensor(image, device), short_side)[None]
