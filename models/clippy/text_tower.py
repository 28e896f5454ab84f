"""Sentence-T5 (Ni et al. 2021): texts to unit vectors, by the mean of a T5 encoder's tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from torch import Tensor, nn

from ...schemas.errors import ConfigError, WeightsError
from ...schemas.vocabulary import Vocabulary, VocabularyClass
from ..encoders.options import Precision, autocast_dtype
from ..encoders.weights import LOAD_ERRORS, state_sha256
from .checkpoint import Checkpoint, fill, linear, read_tensors

TextPooling = Literal["average", "max"]
_BATCH = 256
_LIMIT = 256  # tokens, as published with sentence-T5
_REMEMBERED = 65_536  # prompts
_PARTS = ("Transformer", "Pooling", "Dense", "Normalize")
_DENSE_FILES = ("model.safetensors", "pytorch_model.bin")


class TextTower(Protocol):
    """Classes to unit vectors; :class:`~maskmill.models.encoders.clip.ClipEncoder` is one.

    Attributes:
        id: name and checksum of the weights.
        sha256: 64 hex digits.
    """

    id: str
    sha256: str

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        """Return (C, E) float32: of each class the mean of its prompts' unit vectors, of unit norm."""
        ...


class SentenceT5:
    """Token vectors, pooled over the text, through a dense layer, to unit norm.

    Args:
        encoder: a ``transformers`` ``T5EncoderModel``.
        dense: from its channels to those of images; the identity where there is none.
        tokenizer: its tokenizer.
        weights: name and sha256.
        pooling: over a text's tokens: their mean, as trained, or the maximum of each channel (Table 12).
        precision: of the matrix products.
    """

    def __init__(
        self,
        encoder: Any,
        dense: nn.Module,
        tokenizer: Any,
        weights: tuple[str, str],
        pooling: TextPooling = "average",
        precision: Precision = "auto",
    ) -> None:
        self._encoder = encoder.eval().requires_grad_(False)
        self.device: torch.device = encoder.device
        self._dense = dense.to(self.device).eval().requires_grad_(False)
        self._tokenizer, self._pooling = tokenizer, pooling
        name, self.sha256 = weights
        self.id = f"{name}@{self.sha256[:12]}"
        self._dtype = autocast_dtype(precision, self.device)
        self._known: dict[str, Tensor] = {}

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        """Return (C, E) float32 of unit norm; each prompt is embedded once while it is remembered."""
        prompts = [list(_prompts(c, vocabulary.templates)) for c in vocabulary.classes]
        embedded = self._remembered([prompt for own in prompts for prompt in own])
        means = [part.mean(dim=0) for part in embedded.split([len(own) for own in prompts])]
        return F.normalize(torch.stack(means), dim=-1)

    @torch.no_grad()
    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Return (N, E) float32 of unit norm, N at least 1."""
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
        embedded = torch.cat([self._embed([prompts[place] for place in batch]) for batch in batches])
        return embedded[torch.tensor(order).argsort().to(embedded.device)]

    def _remembered(self, prompts: list[str]) -> Tensor:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        missing = list(dict.fromkeys(prompt for prompt in prompts if prompt not in self._known))
        if missing:
            self._known.update(zip(missing, self.embed_prompts(missing), strict=True))
        return torch.stack([self._known[prompt] for prompt in prompts])

    def _embed(self, prompts: list[str]) -> Tensor:
        tokens = self._tokenizer(
            prompts, padding=True, truncation=True, max_length=_LIMIT, return_tensors="pt"
        )
        ids, mask = (tokens[key].to(self.device) for key in ("input_ids", "attention_mask"))
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None):
            states = self._encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            pooled = self._dense(_pool(states, mask[..., None] > 0, self._pooling))
        return F.normalize(pooled.float(), dim=-1)


def load_sentence_t5(
    spec: str,
    device: torch.device,
    pooling: TextPooling = "average",
    precision: Precision = "auto",
    checkpoint: Checkpoint | None = None,
) -> SentenceT5:
    """Load a T5 encoder by its name on the Hugging Face hub or from a folder.

    A sentence-transformers model's dense layer is loaded with it; a bare T5 has none.

    Args:
        checkpoint: weights to put in place of its own, dense layer included; then only configuration and
            tokenizer are read from ``spec``.

    Raises:
        ConfigError: ``transformers`` is not installed.
        WeightsError: there is no such model, it has other parts, or the checkpoint does not fit it.
    """
    try:
        from transformers import AutoConfig, AutoTokenizer, T5EncoderModel
    except ImportError as err:
        raise ConfigError("sentence-T5 needs transformers: pip install 'maskmill[clippy]'") from err
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec)
        encoder: Any
        if checkpoint is not None:
            encoder = T5EncoderModel(AutoConfig.from_pretrained(spec))
        else:
            encoder, dense = T5EncoderModel.from_pretrained(spec, dtype=torch.float32), _own_dense(spec)
    except (*LOAD_ERRORS, ImportError) as err:
        raise WeightsError(
            f"text tower {spec!r} could not be loaded ({err}): go online once, or give the folder of a T5 "
            "encoder with its tokenizer"
        ) from err
    if checkpoint is not None:
        fill(encoder, checkpoint.text, checkpoint.path, f"the text tower {spec!r}")
        dense = linear(checkpoint.dense, checkpoint.path, "a dense layer of texts")
        weights = (checkpoint.path.stem, checkpoint.sha256)
    else:
        weights = (Path(spec).name, state_sha256(nn.ModuleDict({"encoder": encoder, "dense": dense})))
    return SentenceT5(encoder.to(device), dense, tokenizer, weights, pooling, precision)


def _pool(states: Tensor, inside: Tensor, pooling: TextPooling) -> Tensor:
    """Pool (N, L, d) over the tokens where ``inside`` (N, L, 1)."""
    if pooling == "max":
        return states.masked_fill(~inside, -torch.inf).amax(dim=1)
    return (states * inside).sum(dim=1) / inside.sum(dim=1)


def _prompts(named: VocabularyClass, templates: Sequence[str]) -> Iterator[str]:
    for template in templates:
        for word in named.words:
            yield template.replace("{}", word)


def _own_dense(spec: str) -> nn.Module:
    modules: Any = _read_part(spec, "modules.json")
    if modules is None:
        return nn.Identity()
    kinds = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in json.loads(modules)}
    if not set(kinds) <= set(_PARTS):
        raise ValueError(f"parts {', '.join(kinds)}; only {', '.join(_PARTS)} are supported")
    if "Dense" not in kinds:
        return nn.Identity()
    path = next(filter(None, (_part(spec, f"{kinds['Dense']}/{name}") for name in _DENSE_FILES)), None)
    if path is None:
        raise FileNotFoundError(f"no weights of its dense layer in {kinds['Dense']}")
    weights = {name.removeprefix("linear."): tensor for name, tensor in read_tensors(path).items()}
    return linear(weights, path, "a dense layer of texts")


def _read_part(spec: str, name: str) -> str | None:
    path = _part(spec, name)
    return None if path is None else path.read_text("utf-8")


def _part(spec: str, name: str) -> Path | None:
    """Return a file of a model, None where the model has none of that name."""
    folder = Path(spec)
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    try:
        return Path(hf_hub_download(spec, name))
    except EntryNotFoundError as err:
        if isinstance(err, LocalEntryNotFoundError):  # offline: nobody knows whether there is one
            raise
        return None
