"""The configuration of a probe: what dense features know, without a segmenter."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .config import Frozen

ProbeKind = Literal["knn", "linear", "davis", "waterbirds"]
CLIP_FEATURES, TIMM_FEATURES = "clip", "timm:"


class ProbeConfig(Frozen):
    """Dense features of a backbone, held against ground truth.

    ``backbone`` is ``clip``, MaskCLIP's dense features of the model in ``clip``, or ``timm:NAME``,
    ``timm:NAME:FILE`` or ``timm:FOLDER``, the keys of a timm transformer's last block.
    """

    backbone: str = CLIP_FEATURES
    clip: str = Field("ViT-B-32:laion2b_s34b_b79k", description="as SegmenterConfig.clip")
    short_side: int | None = Field(
        None, ge=8, description="images are resized to it first, pixels; default: as they are"
    )
    train: str | None = Field(
        None, description="dataset that knn and linear learn from; default: the judged one's train_split"
    )
    train_split: str | None = Field(None, description="of LAYOUT:PATH; default: that of its layout")
    split: str | None = Field(None, description="that is judged; default: the one that papers report")
    neighbours: int = Field(20, ge=1, description="k of knn")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:0 ...")
