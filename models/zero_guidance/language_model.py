"""A GPT-2 of Hugging Face as ZeroCap needs it: next tokens, and a context whose memory can be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...schemas.errors import ConfigError, WeightsError
from ..encoders.weights import LOAD_ERRORS, state_sha256

Past = list[Tensor]
"""Keys and values of all layers in turn, k0, v0, k1, v1 ..., (B, heads, n, d) each."""

_END = "."
_END_FACTOR = 1.01  # the full stop is made a little likelier after the first word
_START_FACTOR = 1.6  # and less likely as the first
_FORBIDDEN_FACTOR = 20.0


class LanguageModel:
    """A frozen causal language model with its tokenizer.

    Tokens that are no words are made unlikely, as by the list that ZeroCap's authors ship; here these are the
    tokens with anything but letters, apostrophes, hyphens and a leading space in their text, the full stop
    excepted.

    Args:
        model: a ``transformers`` causal language model that takes ``past_key_values``.
        tokenizer: its tokenizer.
        name: what it is called in :attr:`id`.
        sha256: checksum of its weights.
        device: where it runs.

    Attributes:
        id: name and 12 digits of the checksum.
        sha256: 64 hex digits.
        end_token: the full stop, which ends a sentence.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, sha256: str, device: torch.device) -> None:
        self._model = model.to(device).eval().requires_grad_(False)
        self._tokenizer, self._device = tokenizer, device
        self.id, self.sha256 = f"{name}@{sha256[:12]}", sha256
        self.end_token: int = tokenizer.encode(_END)[0]
        self._texts = [tokenizer.decode([token]) for token in range(model.config.vocab_size)]
        odd = [token for token, text in enumerate(self._texts) if not _is_word(text)]
        self._forbidden = torch.tensor([t for t in odd if t != self.end_token], device=device).long()

    def encode(self, text: str) -> Tensor:
        """Return (n,) int64 tokens, the model's start token first."""
        tokens = [self._tokenizer.bos_token_id, *self._tokenizer.encode(text)]
        return torch.tensor(tokens, device=self._device)

    def decode(self, tokens: Tensor) -> str:
        """Return the text of (n,) tokens, without special ones."""
        return str(self._tokenizer.decode(tokens.tolist(), skip_special_tokens=True))

    def token_text(self, token: int) -> str:
        """Return the text of one token, with its leading space."""
        return self._texts[token]

    @torch.no_grad()
    def logits(self, context: Tensor) -> Tensor:
        """Return the next token's logits after (B, n) tokens, (B, V) float32."""
        logits: Tensor = self._model(context).logits
        return logits[:, -1].float()

    @torch.no_grad()
    def past(self, context: Tensor) -> Past:
        """Return the keys and values of (B, n) tokens."""
        cache = self._model(context, use_cache=True).past_key_values
        return [part for layer in cache.layers for part in (layer.keys, layer.values)]

    def continued(self, last: Tensor, past: Past) -> Tensor:
        """Return the logits after one more (B, 1) token, (B, V), differentiable by the past."""
        from transformers import DynamicCache

        cache = DynamicCache(list(zip(past[::2], past[1::2], strict=True)))
        logits: Tensor = self._model(last, past_key_values=cache, use_cache=True).logits
        return logits[:, -1].float()

    def adjusted(self, logits: Tensor, position: int) -> Tensor:
        """Return logits with the full stop likelier (less likely at first) and odd tokens unlikely.

        A factor f multiplies positive logits and divides negative ones, as in ZeroCap's code.
        """
        changed = logits.clone()
        end = _END_FACTOR if position else 1 / _START_FACTOR
        changed[:, self.end_token] = _scaled(logits[:, self.end_token], end)
        changed[:, self._forbidden] = _scaled(logits[:, self._forbidden], 1 / _FORBIDDEN_FACTOR)
        return changed


def load_language_model(spec: str, device: torch.device) -> LanguageModel:
    """Load a causal language model by its name on the Hugging Face hub, or from a folder.

    Raises:
        ConfigError: ``transformers`` is not installed.
        WeightsError: there is no such model, or it cannot be read.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as err:
        raise ConfigError("language models need transformers: pip install 'maskmill[zero-guidance]'") from err
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec)
        model = AutoModelForCausalLM.from_pretrained(spec, dtype=torch.float32)
    except LOAD_ERRORS as err:
        raise WeightsError(
            f"language model {spec!r} could not be loaded ({err}): go online once, or give the folder of a "
            "model and its tokenizer"
        ) from err
    name = Path(spec).name if Path(spec).is_dir() else spec
    return LanguageModel(model, tokenizer, name, state_sha256(model), device)


def _scaled(logits: Tensor, factor: float) -> Tensor:
    return torch.where(logits > 0, logits * factor, logits / factor)


def _is_word(text: str) -> bool:
    bare = text.removeprefix(" ").replace("'", "").replace("-", "")
    return bool(bare) and bare.isascii() and bare.isalpha()
