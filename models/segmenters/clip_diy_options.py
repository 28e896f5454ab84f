"""What can be set of CLIP-DIY, and what it needs of an encoder."""

from __future__ import annotations

from typing import Literal, Protocol, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...schemas.config import Frozen
from ...schemas.vocabulary import Vocabulary
from ..encoders.options import EncoderOptions


class ClipDiyOptions(Frozen):
    """CLIP-DIY as in the paper (Sec. 3 and 4.1), or as in the authors' code."""

    mode: Literal["paper", "released"] = "paper"
    patch_sizes: tuple[int, ...] = Field(
        (256, 128, 64), min_length=1, description="P of Eq. 1 in pixels, one per scale, from coarse to fine"
    )
    stride_divisor: int | None = Field(
        None, ge=1, description="patches lie P / this apart; default: 1 in paper mode, 2 in released mode"
    )
    scale_weights: tuple[float, ...] | None = Field(None, description="one per scale; default: all 1")
    encoder: EncoderOptions = EncoderOptions()
    templates: str = Field(
        "own", description="prompts: the vocabulary's own, `1`, `80`, `85`, or a file with one a line"
    )
    short_side: int = Field(448, ge=1, description="paper: images are resized to this short side, in pixels")
    square_side: int = Field(256, ge=1, description="released: images are resized to this square, in pixels")
    crop_batch: int = Field(256, ge=1, description="crops per forward pass")
    confidence_scale: float = Field(
        40.0, gt=0, description="logit scale of the softmax that gives scores; never changes a label"
    )
    max_objectness_side: int = Field(
        1333, ge=1, description="released: larger images show the objectness a copy of this longer side"
    )
    skip_below: float = Field(
        0.0, ge=0, lt=0.5, description="released: crops over pixels of at most this objectness are not run"
    )

    @model_validator(mode="after")
    def _scales_fit(self) -> Self:
        if self.scale_weights is not None and len(self.scale_weights) != len(self.patch_sizes):
            raise ValueError("scale_weights needs one weight for each of patch_sizes")
        if self.scale_weights is not None and min(self.scale_weights) <= 0:
            raise ValueError("scale_weights must be positive; leave a scale out instead")
        if self.mode == "released" and max(self.patch_sizes) > self.square_side:
            raise ValueError("patch_sizes must not exceed square_side in released mode")
        return self


class CropEncoder(Protocol):
    """The part of a CLIP that CLIP-DIY needs; :class:`ClipEncoder` has it."""

    id: str
    sha256: str
    image_size: int
    device: torch.device

    def embed_crops(self, crops: Tensor) -> Tensor: ...

    def embed_text(self, vocabulary: Vocabulary) -> Tensor: ...
