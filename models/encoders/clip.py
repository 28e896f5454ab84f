"""CLIP image and text encoders over open_clip."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from ...schemas.errors import WeightsError
from ...schemas.vocabulary import Vocabulary
from ..device import resolve_device
from .checks import check_model, wants_quick_gelu
from .classes import ClassTexts, Tokenizer
from .options import EncoderOptions, autocast_dtype
from .text import TextTower
from .text_cache import TextCache, user_cache
from .weights import LOAD_ERRORS, ClipSource, pinned_sha256, resolve_clip

_LOGIT_SCALE_LIMIT = 100.0  # CLIP's own clamp in training


DEFAULTS = EncoderOptions()
IN_MEMORY = EncoderOptions(text_cache="none")


@dataclass(frozen=True)
class ClipWeights:
    """Which weights a model holds.

    Args:
        name: what they are called in ids.
        sha256: checksum of the weight file, 64 hex digits.
        architecture: 16 hex digits over open_clip's configuration of the model: the same file means something
            else in another one (GELU, heads).
    """

    name: str
    sha256: str
    architecture: str = ""


class ClipEncoder:
    """A frozen CLIP: crops and class names to unit vectors of one space.

    Any model of open_clip does: its own ViT and ResNet towers, timm's, Hugging Face text towers, SigLIP. It
    runs in float32 on a CPU and under bfloat16 autocast on CUDA, unless ``options`` say otherwise; embeddings
    are float32 either way.

    Args:
        model: an open_clip model, already loaded.
        tokenizer: texts to (N, context) int64 tokens.
        weights: which weights these are.
        device: where the model is moved.
        options: precision, compilation; ``text_cache`` is a folder or ``none`` here.

    Attributes:
        id: the weights' name, ``@`` and the first 12 digits of their sha256.
        model: the open_clip model, in evaluation mode, without gradients.
        image_size: S, the side of the square crops it takes, in pixels.
        embed_dim: D, the length of an embedding.
        mean, std: (3, 1, 1) normalisation of RGB in [0, 1].
        dtype: of matrix products, under autocast; None: the weights' own.
        logit_scale: what cosines are multiplied with before a softmax, as learnt, at most 100.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        weights: ClipWeights,
        device: torch.device,
        options: EncoderOptions = IN_MEMORY,
    ) -> None:
        self.id = f"{weights.name}@{weights.sha256[:12]}"
        self.sha256 = weights.sha256
        self.device = device
        self.dtype = autocast_dtype(options.precision, device)
        # Convolutions are half as fast again with channels last, on CPUs too; transformers do not mind.
        self.model: Any = model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        preprocess = self.visual.preprocess_cfg
        self.image_size = _square(self.visual.image_size, weights.name)
        self.mean = torch.tensor(preprocess["mean"], device=device).view(3, 1, 1)
        self.std = torch.tensor(preprocess["std"], device=device).view(3, 1, 1)
        self.logit_scale = min(float(model.logit_scale.exp()), _LOGIT_SCALE_LIMIT)
        # Texts are not compiled: each length would be compiled anew, and a class is embedded once.
        encode: Any = self.model.encode_image
        self._encode_image = torch.compile(encode) if options.compile else encode
        tower = TextTower(self.model, device, self.dtype)
        namespace = f"{weights.sha256} {weights.architecture} {self.dtype}"
        cache = None if options.text_cache == "none" else TextCache(Path(options.text_cache))
        self._texts = ClassTexts(tokenizer, tower, namespace, cache)
        self.embed_dim = self._texts.embed_prompts(["a"]).shape[1]

    @property
    def visual(self) -> Any:
        """The image tower: open_clip's ``ModifiedResNet``, ``VisionTransformer`` or ``TimmModel``."""
        return self.model.visual

    def normalised(self, images: Tensor) -> Tensor:
        """Return (B, 3, H, W) RGB in [0, 1] as the image tower wants it, on :attr:`device`."""
        normalised = (images.to(self.device) - self.mean) / self.std
        return normalised.contiguous(memory_format=torch.channels_last)

    def autocast(self) -> torch.autocast:
        """Return the context in which the model runs."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    @torch.no_grad()
    def embed_crops(self, crops: Tensor) -> Tensor:
        """Embed image crops.

        Args:
            crops: (N, 3, S, S) float RGB in [0, 1], on any device; N may be 0.

        Returns:
            (N, D) float32 of unit norm, on :attr:`device`.
        """
        if crops.shape[0] == 0:
            return torch.zeros(0, self.embed_dim, device=self.device)
        with self.autocast():
            embedded = self._encode_image(self.normalised(crops))
        return F.normalize(embedded.float(), dim=-1)

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        """Embed the classes of a vocabulary.

        A class is the mean of the unit embeddings of its prompts (templates x name and synonyms), scaled to
        unit norm. Each class is embedded once: it is kept in memory, and on disk where ``options`` name a
        folder.

        Returns:
            (C, D) float32 of unit norm, in the order of the classes, on :attr:`device`.
        """
        return self._texts.embed(vocabulary)


def load_clip(spec: str, device: str = "auto", options: EncoderOptions = DEFAULTS) -> ClipEncoder:
    """Load a CLIP, and hold it against what is published with its weights (:func:`check_model`).

    Args:
        spec: ``demo``, an open_clip pair ``MODEL:PRETRAINED`` (downloaded once) or a folder with
            ``open_clip_config.json`` and weights.
        device: as :func:`~maskmill.models.device.resolve_device`.
        options: precision, compilation, where embedded texts are kept.

    Raises:
        WeightsError: the weights are missing, cannot be downloaded, do not fit the architecture, are not run
            as they were trained, or have another checksum than the one pinned beside them.
        ConfigError: there is no such device.
    """
    target = resolve_device(device)
    source = resolve_clip(spec)
    digest = pinned_sha256(source.file)
    model = _load_model(source)
    check_model(model, source)
    weights = ClipWeights(source.name, digest, _architecture(source))
    kept = options.model_copy(update={"text_cache": _cache_folder(source, options.text_cache)})
    return ClipEncoder(model, _tokenizer(source), weights, target, kept)


def _load_model(source: ClipSource) -> Any:
    # Without require_pretrained open_clip leaves a model at its random start, with a mere log line.
    # QuickGELU is part of how some weights were trained, whether or not the model's name says so.
    try:
        with warnings.catch_warnings():
            # check_model raises where open_clip only warns.
            warnings.filterwarnings("ignore", "QuickGELU mismatch", UserWarning)
            return open_clip.create_model(
                source.model,
                source.tag,
                require_pretrained=True,
                force_quick_gelu=source.tag is not None and wants_quick_gelu(source),
            )
    except LOAD_ERRORS as err:
        raise WeightsError(
            f"CLIP {source.name!r} could not be loaded from {str(source.file)!r}: {err}. "
            "The file is damaged, or is of another architecture than its configuration says"
        ) from err


def _tokenizer(source: ClipSource) -> Tokenizer:
    try:
        return open_clip.get_tokenizer(source.model)
    except (*LOAD_ERRORS, ImportError) as err:
        raise WeightsError(
            f"the tokenizer of CLIP {source.name!r} could not be loaded ({err}): it needs the package "
            "transformers, and its files in the cache or in the model's folder"
        ) from err


def _architecture(source: ClipSource) -> str:
    config = open_clip.get_model_config(source.model)
    body = json.dumps([config, wants_quick_gelu(source)], sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _cache_folder(source: ClipSource, wanted: str) -> str:
    """Resolve ``auto``: weights that open_clip downloads lie in the user's cache, and so may their texts."""
    if wanted != "auto":
        return wanted
    folder = user_cache() if source.tag is not None else None
    return "none" if folder is None else str(folder)


def _square(size: int | tuple[int, int], name: str) -> int:
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise WeightsError(f"CLIP {name!r} takes {height}x{width} images; only square inputs are supported")
    return height
