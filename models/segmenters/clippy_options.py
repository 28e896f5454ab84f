"""What can be set of CLIPpy, and the towers that a configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field, model_validator

from ...schemas.config import Frozen, SegmenterConfig
from ...schemas.templates import load_templates
from ..clippy.checkpoint import Checkpoint, read_checkpoint
from ..clippy.clip_tower import ClipTower
from ..clippy.image_tower import ImageTower, TowerOptions, checkpoint_tower, load_timm_tower
from ..clippy.pooling import Pooling
from ..clippy.text_tower import TextPooling, TextTower, load_sentence_t5
from ..clippy.wording import BARE, Wording
from ..device import resolve_device
from ..encoders.clip import ClipEncoder, load_clip
from ..encoders.options import EncoderOptions, Precision
from ..encoders.weights import pinned_sha256, resolve_clip

_CLIP = "clip"
_INITIAL_SCALE = 1 / 0.07  # where training starts; towers without a checkpoint have none of their own


class ClippyOptions(Frozen):
    """CLIPpy's inference as in the paper (Sec. 3.5, Appendix D and I), or as the released code has it."""

    mode: Literal["paper", "released"] = "paper"
    checkpoint: str = Field(
        "", description="file of the authors' code with both towers' weights; empty: each tower has its own"
    )
    image_tower: str = Field(
        "vit_base_patch16_224.dino",
        description="timm ViT: name, NAME:FILE or folder; or an open_clip model's features: clip, clip:SPEC",
    )
    text_tower: str = Field(
        "sentence-transformers/sentence-t5-base",
        description="sentence-T5: Hugging Face name or folder; or an open_clip text tower: clip, clip:SPEC",
    )
    pooling: Pooling | None = Field(
        None, description="of image scores; default: max in paper mode, max_all (with CLS) in released mode"
    )
    temperature: float = Field(0.1, gt=0, description="of the poolings tsp and wmp")
    text_pooling: TextPooling = Field("average", description="of sentence-T5's tokens (Table 12)")
    size: int = Field(224, ge=1, description="pixels of the side below; the paper's 224 or 448")
    shape: Literal["square", "short_side"] = Field(
        "square", description="images are resized to a square, or to a short side with their ratio kept"
    )
    stride: int | None = Field(None, ge=1, description="pixels between patches; default: their size")
    templates: str = Field(
        "auto",
        description="auto (bare words in paper mode, 'a photo of a' in released mode), bare, 1, 80, 85, own "
        "(the vocabulary's), or a text file, a template a line",
    )
    background: Literal["mean", "each"] | None = Field(
        None,
        description="its words are averaged, or each is asked for by itself; default: mean in paper mode, "
        "each in released mode",
    )
    logit_scale: float | None = Field(
        None, gt=0, description="of the softmax that gives scores; default: the weights' own, at most 100"
    )
    groups: int = Field(8, ge=1, description="n of bottom-up grouping (Sec. 3.5)")
    centred_groups: bool = Field(
        False, description="compare features less their mean with the groups' centres; for n above 8"
    )
    batch_images: int = Field(8, ge=1, description="images of one size per forward pass")
    precision: Precision = Field("auto", description="auto: bfloat16 on CUDA, float32 on a CPU")

    @model_validator(mode="after")
    def _a_checkpoint_has_towers_of_its_own(self) -> Self:
        if self.checkpoint and (is_clip(self.image_tower) or is_clip(self.text_tower)):
            raise ValueError("a checkpoint's towers are a timm ViT and a sentence-T5, not CLIP's")
        return self

    @property
    def used_pooling(self) -> Pooling:
        return self.pooling or ("max" if self.mode == "paper" else "max_all")

    @property
    def wording(self) -> Wording:
        """How the text tower is asked for classes.

        Raises:
            ConfigError: there are no such templates.
        """
        each = self.background == "each" or (self.background is None and self.mode == "released")
        if self.templates in ("auto", "bare"):
            return Wording(BARE, self.templates == "auto" and self.mode == "released", each)
        return Wording(None if self.templates == "own" else load_templates(self.templates), each=each)


def is_clip(spec: str) -> bool:
    """Return whether a tower is an open_clip model's."""
    return spec == _CLIP or spec.startswith(f"{_CLIP}:")


class Towers:
    """The two towers that a configuration names, loaded.

    Attributes:
        image, text: the towers.
        logit_scale: that they were trained with, at most 100.
        id: both, with their checksums.
        weights: what -> sha256.

    Raises:
        ConfigError: there is no such device, or a library is missing.
        WeightsError: weights are missing, damaged, or do not fit.
    """

    image: ImageTower
    text: TextTower

    def __init__(self, config: SegmenterConfig, options: ClippyOptions) -> None:
        self._config, self._options = config, options
        self._clips: dict[str, ClipEncoder] = {}
        self.logit_scale = _INITIAL_SCALE
        device = resolve_device(config.device)
        checkpoint = read_checkpoint(Path(options.checkpoint)) if options.checkpoint else None
        if checkpoint is not None:
            self.logit_scale = min(checkpoint.logit_scale, 100.0)
        self.image = self._image(device, checkpoint)
        self.text = self._text(device, checkpoint)
        same = checkpoint is not None
        self.id = self.image.id if same else f"{self.image.id}/{self.text.id}"
        named = {"checkpoint": self.image.sha256}
        self.weights = named if same else {"image": self.image.sha256, "text": self.text.sha256}

    def _image(self, device: torch.device, checkpoint: Checkpoint | None) -> ImageTower:
        options = self._options
        if is_clip(options.image_tower):
            return ClipTower(self._clip(options.image_tower))
        how = TowerOptions(options.stride, options.mode == "released", options.precision)
        if checkpoint is not None:
            return checkpoint_tower(checkpoint, options.image_tower, device, how)
        return load_timm_tower(options.image_tower, device, how)

    def _text(self, device: torch.device, checkpoint: Checkpoint | None) -> TextTower:
        options = self._options
        if is_clip(options.text_tower):
            encoder = self._clip(options.text_tower)
            self.logit_scale = encoder.logit_scale
            return encoder
        return load_sentence_t5(
            options.text_tower, device, options.text_pooling, options.precision, checkpoint
        )

    def _clip(self, tower: str) -> ClipEncoder:
        spec = clip_spec(tower, self._config)
        if spec not in self._clips:
            how = EncoderOptions(precision=self._options.precision)
            self._clips[spec] = load_clip(spec, self._config.device, how)
        return self._clips[spec]


def clip_spec(tower: str, config: SegmenterConfig) -> str:
    """Return the CLIP of a tower ``clip:SPEC``; ``clip`` is the configuration's own."""
    return tower.partition(":")[2] or config.clip


def weight_files(config: SegmenterConfig) -> dict[str, str]:
    """Return what -> sha256 of the files on this disk; weights that a hub has are reported once loaded."""
    options = ClippyOptions.model_validate(config.options)
    if options.checkpoint:
        return {"checkpoint": pinned_sha256(Path(options.checkpoint))}
    towers = {"image": options.image_tower, "text": options.text_tower}
    found = {what: clip_spec(tower, config) for what, tower in towers.items() if is_clip(tower)}
    return {what: pinned_sha256(resolve_clip(spec).file) for what, spec in found.items()}
