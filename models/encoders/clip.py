"""CLIP image and text encoders over open_clip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from ...schemas.errors import WeightsError
from ...schemas.vocabulary import Vocabulary, VocabularyClass
from ..device import resolve_device
from .weights import LOAD_ERRORS, ClipSource, pinned_sha256, resolve_clip

Tokenizer = Callable[[list[str]], Tensor]

_PROMPT_BATCH = 256
_CACHED_CLASSES = 16_384


class ClipEncoder:
    """A frozen CLIP: crops and class names to unit vectors of one space.

    Runs in float32 on a CPU and under bfloat16 autocast on CUDA; embeddings are float32 either way.

    Args:
        model: an open_clip CLIP, already loaded.
        tokenizer: texts to (N, context) int64 tokens.
        name: what the weights are called in :attr:`id`.
        sha256: checksum of the weight file, 64 hex digits.
        device: where the model is moved.

    Attributes:
        id: ``name@`` and the first 12 digits of ``sha256``.
        model: the open_clip model, in evaluation mode, without gradients.
        image_size: S, the side of the square crops it takes, in pixels.
        embed_dim: D, the length of an embedding.
        mean, std: (3, 1, 1) normalisation of RGB in [0, 1].
    """

    def __init__(
        self, model: Any, tokenizer: Tokenizer, name: str, sha256: str, device: torch.device
    ) -> None:
        self.id = f"{name}@{sha256[:12]}"
        self.sha256 = sha256
        self.device = device
        # Convolutions are half as fast again with channels last, on CPUs too; transformers do not mind.
        self.model: Any = model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self._tokenizer = tokenizer
        preprocess = self.visual.preprocess_cfg
        self.image_size = _square(self.visual.image_size, name)
        self.mean = torch.tensor(preprocess["mean"], device=device).view(3, 1, 1)
        self.std = torch.tensor(preprocess["std"], device=device).view(3, 1, 1)
        self._classes: OrderedDict[tuple[VocabularyClass, tuple[str, ...]], Tensor] = OrderedDict()
        self.embed_dim = self._embed_prompts(["a"]).shape[1]

    @property
    def visual(self) -> Any:
        """The image tower: open_clip's ``ModifiedResNet``, ``VisionTransformer`` or ``TimmModel``."""
        return self.model.visual

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
        normalised = (crops.to(self.device) - self.mean) / self.std
        with self._autocast():
            embedded = self.model.encode_image(normalised.contiguous(memory_format=torch.channels_last))
        return F.normalize(embedded.float(), dim=-1)

    @torch.no_grad()
    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        """Embed the classes of a vocabulary.

        A class is the mean of the unit embeddings of its prompts (templates x name and synonyms), scaled to
        unit norm. Classes are cached one by one: every captioned image has its own vocabulary, words recur.

        Returns:
            (C, D) float32 of unit norm, in the order of the classes, on :attr:`device`.
        """
        keys = [(c, vocabulary.templates) for c in vocabulary.classes]
        known = {key: self._classes[key] for key in keys if key in self._classes}
        missing = [key for key in keys if key not in known]
        if missing:
            known.update(zip(missing, self._embed_classes(missing), strict=True))
        self._remember(known)
        return torch.stack([known[key] for key in keys])

    def _embed_classes(self, keys: Sequence[tuple[VocabularyClass, tuple[str, ...]]]) -> list[Tensor]:
        prompts = [list(_prompts(*key)) for key in keys]
        embedded = self._embed_prompts([p for group in prompts for p in group])
        means = [group.mean(dim=0) for group in embedded.split([len(group) for group in prompts])]
        return [F.normalize(mean, dim=0) for mean in means]

    def _embed_prompts(self, prompts: list[str]) -> Tensor:
        parts = []
        for start in range(0, len(prompts), _PROMPT_BATCH):
            tokens = self._tokenizer(prompts[start : start + _PROMPT_BATCH]).to(self.device)
            with torch.no_grad(), self._autocast():
                parts.append(F.normalize(self.model.encode_text(tokens).float(), dim=-1))
        return torch.cat(parts)

    def _remember(self, used: dict[tuple[VocabularyClass, tuple[str, ...]], Tensor]) -> None:
        for key, embedding in used.items():
            self._classes[key] = embedding
            self._classes.move_to_end(key)
        while len(self._classes) > _CACHED_CLASSES:
            self._classes.popitem(last=False)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")


def load_clip(spec: str, device: str = "auto") -> ClipEncoder:
    """Load a CLIP.

    Args:
        spec: ``demo``, an open_clip pair ``MODEL:PRETRAINED`` (downloaded once) or a folder with
            ``open_clip_config.json`` and weights.
        device: as :func:`~maskmill.models.device.resolve_device`.

    Raises:
        WeightsError: the weights are missing, cannot be downloaded, do not fit the architecture, or have
            another checksum than the one pinned beside them.
        ConfigError: there is no such device.
    """
    target = resolve_device(device)
    source = resolve_clip(spec)
    digest = pinned_sha256(source.file)
    return ClipEncoder(
        _load_model(source), open_clip.get_tokenizer(source.model), source.name, digest, target
    )


def _load_model(source: ClipSource) -> Any:
    # Without require_pretrained open_clip leaves a model at its random start, with a mere log line.
    # QuickGELU is part of how some weights were trained, whether or not the model's name says so.
    tagged = open_clip.get_pretrained_cfg(source.model, source.tag) if source.tag else {}
    try:
        return open_clip.create_model(
            source.model,
            source.tag,
            require_pretrained=True,
            force_quick_gelu=bool(tagged.get("quick_gelu", False)),
        )
    except LOAD_ERRORS as err:
        raise WeightsError(
            f"CLIP {source.name!r} could not be loaded from {str(source.file)!r}: {err}. "
            "The file is damaged, or is of another architecture than its configuration says"
        ) from err


def _prompts(named: VocabularyClass, templates: tuple[str, ...]) -> Iterator[str]:
    for template in templates:
        for word in (named.name, *named.synonyms):
            yield template.replace("{}", word)


def _square(size: int | tuple[int, int], name: str) -> int:
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise WeightsError(f"CLIP {name!r} takes {height}x{width} images; only square inputs are supported")
    return height
