"""FOUND (Simeoni et al. 2023): a 1x1 convolution on dense features tells things from background.

FOUND-bkg, the form without training, takes the least attended position as a seed of the background.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...schemas.errors import WeightsError
from ..resizing import resize_short_side
from .dense import DenseBackbone, DenseFeatures
from .heads import FoundHead, load_head, save_head

__all__ = [
    "FoundBkg",
    "FoundHead",
    "FoundObjectness",
    "NoObjectness",
    "Objectness",
    "background_masks",
    "load_head",
    "resize_short_side",
    "save_head",
]

BKG_THRESHOLD = 0.3
_EPSILON = 1e-10


class Objectness(Protocol):
    """The map Theta of CLIP-DIY's Eq. 3.

    Attributes:
        id: method and weights; part of a segmenter's id.
        weights: what -> sha256 or id, stored with the run.
    """

    @property
    def id(self) -> str: ...
    @property
    def weights(self) -> Mapping[str, str]: ...

    def __call__(self, image: Tensor) -> Tensor:
        """Map (3, H, W) float RGB in [0, 1] to (H, W) float32 in [0, 1], close to 1 on things."""
        ...


class NoObjectness:
    """CLIP-DIY without objectness (Table 2): one half everywhere.

    Both lines of Eq. 3 are then 1/2, and as halving a float is exact, the argmax of Eq. 4 is that of M_CLIP.
    """

    def __init__(self) -> None:
        self.id = "none"
        self.weights: Mapping[str, str] = {}

    def __call__(self, image: Tensor) -> Tensor:
        return torch.full(image.shape[-2:], 0.5, device=image.device)


class FoundObjectness:
    """FOUND with a trained head: logits, bilinear upsampling by the stride, crop, sigmoid.

    The image is resized to the head's ``short_side`` first, where it has one, and the map back to the image.

    Raises:
        WeightsError: the head was trained on features of another dimension than the backbone's.
    """

    def __init__(self, backbone: DenseBackbone, head: FoundHead) -> None:
        if backbone.dim != len(head.weight):
            raise WeightsError(
                f"the objectness head takes {len(head.weight)} channels, {backbone.id} gives {backbone.dim}: "
                "use the backbone that the head was trained on"
            )
        self._backbone, self._head = backbone, head
        self.id = f"found@{head.sha256[:12]}/{backbone.id}"
        self.weights: Mapping[str, str] = {"objectness_head": head.sha256, "objectness_backbone": backbone.id}

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        resized = resize_short_side(image, self._head.short_side)
        logits = self._head.logits(self._backbone(resized[None]).features)
        objectness = _to_pixels(logits, self._backbone.stride, resized, "bilinear").sigmoid()
        if resized.shape == image.shape:
            return objectness
        size = (image.shape[-2], image.shape[-1])
        return F.interpolate(objectness[None, None], size, mode="bilinear", align_corners=False)[0, 0].clamp(
            0, 1
        )


class FoundBkg:
    """FOUND-bkg: 1 where a position is unlike the background seed, 0 elsewhere, in cells of the stride."""

    def __init__(self, backbone: DenseBackbone, threshold: float = BKG_THRESHOLD) -> None:
        self._backbone, self._threshold = backbone, threshold
        self.id = f"found-bkg/{backbone.id}"
        self.weights: Mapping[str, str] = {"objectness_backbone": backbone.id}

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        things = ~background_masks(self._backbone(image[None]), self._threshold)
        return _to_pixels(things.float(), self._backbone.stride, image, "nearest")


def background_masks(dense: DenseFeatures, threshold: float = BKG_THRESHOLD) -> Tensor:
    """Grow the background from its seed (FOUND Sec. 3.1).

    A head whose attention exceeds the image's mean at few positions is sparse and weighs more:
    beta_h = log(sum_h' q_h' / q_h), q_h the share of its positions above the mean; a single head weighs 1.
    The seed is the position with the least weighted attention; background is every position whose cosine to
    the seed exceeds the threshold. Where the features are the heads' keys, beta_h weighs their channels too.

    Returns:
        (B, h, w) bool, True on background.
    """
    attention = dense.attention.flatten(2)
    beta = _sparsity_weights(attention)
    seed = (attention * beta[..., None]).sum(dim=1).argmin(dim=-1)
    features = dense.features.flatten(2)
    if dense.per_head:
        features = (features.unflatten(1, (beta.shape[1], -1)) * beta[:, :, None, None]).flatten(1, 2)
    features = F.normalize(features, dim=1)
    at_seed = features.gather(2, seed[:, None, None].expand(-1, features.shape[1], 1))
    cosine = (features * at_seed).sum(dim=1)
    return (cosine > threshold).unflatten(-1, dense.features.shape[-2:])


def _sparsity_weights(attention: Tensor) -> Tensor:
    """Return beta (B, heads) of (B, heads, n) attention."""
    if attention.shape[1] == 1:
        return torch.ones_like(attention[..., 0])
    above = (attention > attention.mean(dim=(1, 2), keepdim=True)).float().mean(dim=-1)
    return torch.log((above + _EPSILON).sum(dim=1, keepdim=True) / (above + _EPSILON))


def _to_pixels(cells: Tensor, stride: int, image: Tensor, mode: str) -> Tensor:
    """Upsample one (1, h, w) grid by the stride and crop the backbone's padding off, (H, W)."""
    size = (cells.shape[-2] * stride, cells.shape[-1] * stride)
    return F.interpolate(cells[None], size, mode=mode)[0, 0, : image.shape[-2], : image.shape[-1]]
