"""An open_clip model in the place of CLIPpy's image tower."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.clip import ClipEncoder
from ..encoders.dense_clip import DenseClip
from .image_tower import Tokens


class ClipTower:
    """The dense features of an open_clip model as patch tokens: MaskCLIP's, after the visual projection.

    Its class token is the image's embedding; CLIP pools by that, not by a maximum, so pooling patches is not
    what it was trained for.
    """

    def __init__(self, encoder: ClipEncoder) -> None:
        self._encoder, self._dense = encoder, DenseClip(encoder)
        self.id, self.sha256, self.device = f"clip:{encoder.id}", encoder.sha256, encoder.device
        self.cell, self.dim = self._dense.stride, encoder.embed_dim

    @torch.no_grad()
    def tokens(self, images: Tensor) -> Tokens:
        """Return unit features of (B, 3, H, W) images in [0, 1]; CLS sees them as its own square."""
        side = self._encoder.image_size
        square = F.interpolate(images, (side, side), mode="bicubic", align_corners=False, antialias=True)
        features = self._dense.dense_features(images)
        prefix = self._encoder.embed_crops(square.clamp(0, 1))[:, None]
        return Tokens(prefix, features.flatten(2).transpose(1, 2), (features.shape[2], features.shape[3]))

    def project(self, tokens: Tensor) -> Tensor:
        return tokens
