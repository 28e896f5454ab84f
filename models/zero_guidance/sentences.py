"""Sentence encoders, by which free text is compared with class names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download
from torch import Tensor

from ...schemas.errors import ConfigError, WeightsError
from ..encoders.weights import LOAD_ERRORS, state_sha256

_BATCH = 64
_KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")


class SentenceEncoder(Protocol):
    """Texts to unit vectors.

    Attributes:
        id: name and checksum of the weights.
    """

    id: str

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32 unit vectors."""
        ...


class PooledTransformer:
    """A Sentence-BERT: token vectors of a transformer, pooled over the text and scaled to unit length.

    Args:
        model: a ``transformers`` encoder.
        tokenizer: its tokenizer.
        pooling: ``mean`` over the text's tokens, or the ``cls`` token.
        limit: tokens after which a text is cut.
        name: what it is called in :attr:`id`.
    """

    def __init__(self, model: Any, tokenizer: Any, pooling: str, limit: int, name: str) -> None:
        self._model = model.eval().requires_grad_(False)
        self._tokenizer, self._pooling, self._limit = tokenizer, pooling, limit
        self.id = f"{name}@{state_sha256(model)[:12]}"

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        parts = [self._embed(list(texts[at : at + _BATCH])) for at in range(0, len(texts), _BATCH)]
        return torch.cat(parts) if parts else torch.zeros(0, self._model.config.hidden_size)

    def _embed(self, texts: list[str]) -> Tensor:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._limit, return_tensors="pt"
        )
        states = self._model(**tokens.to(self._model.device)).last_hidden_state
        if self._pooling == "cls":
            return F.normalize(states[:, 0].float(), dim=-1)
        inside = tokens["attention_mask"][..., None].to(states)
        return F.normalize(((states * inside).sum(1) / inside.sum(1)).float(), dim=-1)


def load_sentence_encoder(spec: str, device: torch.device) -> SentenceEncoder:
    """Load a sentence-transformers model by folder or hub name, through ``transformers`` alone.

    The paper's reference is ``sentence-transformers/all-mpnet-base-v2`` in the authors' code. Models of a
    transformer, mean or CLS pooling and normalisation are read; one with a dense layer is refused.

    Raises:
        ConfigError: ``transformers`` is not installed.
        WeightsError: there is no such model, or it has other parts.
    """
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as err:
        raise ConfigError(
            "sentence encoders need transformers: pip install 'maskmill[zero-guidance]'"
        ) from err
    try:
        pooling = _pooling(spec)
        limit = int(_part(spec, "sentence_bert_config.json").get("max_seq_length") or 512)
        tokenizer = AutoTokenizer.from_pretrained(spec)
        model = AutoModel.from_pretrained(spec, dtype=torch.float32).to(device)
    except LOAD_ERRORS as err:
        raise WeightsError(
            f"sentence encoder {spec!r} could not be loaded ({err}): go online once, or give the folder of a "
            "sentence-transformers model"
        ) from err
    return PooledTransformer(model, tokenizer, pooling, limit, Path(spec).name)


def _pooling(spec: str) -> str:
    modules: Any = _part(spec, "modules.json")
    kinds = {str(module["type"]).rpartition(".")[2]: module["path"] for module in modules}
    if not set(kinds) <= set(_KNOWN_MODULES):
        raise ValueError(f"parts {', '.join(kinds)}; only {', '.join(_KNOWN_MODULES)} are supported")
    settings = _part(spec, f"{kinds['Pooling']}/config.json")
    if settings.get("pooling_mode") in ("mean", "cls"):
        return str(settings["pooling_mode"])
    for key, name in (("pooling_mode_mean_tokens", "mean"), ("pooling_mode_cls_token", "cls")):
        if settings.get(key):
            return name
    raise ValueError("it pools neither by mean nor by CLS token")


def _part(spec: str, name: str) -> Any:
    folder = Path(spec)
    path = folder / name if folder.is_dir() else Path(hf_hub_download(spec, name))
    return json.loads(path.read_text("utf-8"))
