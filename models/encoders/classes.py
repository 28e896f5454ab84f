"""Classes of a vocabulary to unit vectors, each embedded once: per process, and across runs on disk."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...schemas.vocabulary import Vocabulary, VocabularyClass
from .text import TextTower
from .text_cache import TextCache

Tokenizer = Callable[[list[str]], Tensor]
ClassKey = tuple[VocabularyClass, tuple[str, ...]]

_PROMPT_BATCH = 256
_GROUP_PROMPTS = 8192  # prompts tokenised and sorted at once, so that any number of classes fits in memory
_CACHED_CLASSES = 16_384


class ClassTexts:
    """Class names, synonyms and templates to embeddings.

    Args:
        tokenizer: texts to (N, L) int64 tokens.
        tower: embeds them.
        namespace: what the embeddings depend on beside the tokens: weights, architecture, precision.
        cache: keeps embeddings across runs; None: they are kept in memory only.
    """

    def __init__(
        self, tokenizer: Tokenizer, tower: TextTower, namespace: str, cache: TextCache | None = None
    ) -> None:
        self._tokenizer, self._tower = tokenizer, tower
        self._namespace, self._cache = namespace, cache
        self._known: OrderedDict[ClassKey, Tensor] = OrderedDict()

    def embed(self, vocabulary: Vocabulary) -> Tensor:
        """Return (C, D) float32 of unit norm: of each class the mean of its prompts' unit vectors.

        Prompts are templates x (name and synonyms). Classes are cached one by one: every captioned image has
        its own vocabulary, words recur.
        """
        keys = [(c, vocabulary.templates) for c in vocabulary.classes]
        known = {key: self._known[key] for key in keys if key in self._known}
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        for group in _groups(missing):
            known.update(zip(group, self._embed_group(group), strict=True))
        self._remember(known)
        return torch.stack([known[key] for key in keys])

    def embed_prompts(self, prompts: list[str]) -> Tensor:
        """Return (N, D) float32 of unit norm, past all caches."""
        return self._embed_tokens(self._tokenizer(prompts))

    def _embed_group(self, keys: Sequence[ClassKey]) -> list[Tensor]:
        prompts = [list(_prompts(*key)) for key in keys]
        tokens = self._tokenizer([p for own in prompts for p in own]).split([len(own) for own in prompts])
        return self._means(tokens) if self._cache is None else self._through(self._cache, tokens)

    def _through(self, cache: TextCache, tokens: Sequence[Tensor]) -> list[Tensor]:
        digests = [self._digest(own) for own in tokens]
        found = {digest: cache.get(digest) for digest in digests}
        kept = {digest: e.to(self._tower.device) for digest, e in found.items() if e is not None}
        lacking = {d: own for d, own in zip(digests, tokens, strict=True) if d not in kept}
        if lacking:
            fresh = dict(zip(lacking, self._means(list(lacking.values())), strict=True))
            for digest, embedding in fresh.items():
                cache.put(digest, embedding)
            kept.update(fresh)
        return [kept[digest] for digest in digests]

    def _digest(self, tokens: Tensor) -> str:
        """Return the key of a class: its prompts as the tower sees them, which needs no tokenizer's name."""
        body = f"{self._namespace}\n{tuple(tokens.shape)}\n".encode() + tokens.long().numpy().tobytes()
        return hashlib.sha256(body).hexdigest()

    def _means(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        embedded = self._embed_tokens(torch.cat(list(tokens))).split([len(own) for own in tokens])
        return [F.normalize(own.mean(dim=0), dim=0) for own in embedded]

    def _embed_tokens(self, tokens: Tensor) -> Tensor:
        """Embed in batches of prompts of like length: a batch runs as many tokens as its longest prompt."""
        order = self._tower.ends(tokens).argsort(stable=True)
        embedded = torch.cat([self._tower.encode(tokens[batch]) for batch in order.split(_PROMPT_BATCH)])
        return embedded[order.argsort().to(embedded.device)]

    def _remember(self, used: dict[ClassKey, Tensor]) -> None:
        for key, embedding in used.items():
            self._known[key] = embedding
            self._known.move_to_end(key)
        while len(self._known) > _CACHED_CLASSES:
            self._known.popitem(last=False)


def _prompts(named: VocabularyClass, templates: tuple[str, ...]) -> Iterator[str]:
    for template in templates:
        for word in named.words:
            yield template.replace("{}", word)


def _groups(keys: Sequence[ClassKey]) -> Iterator[list[ClassKey]]:
    """Split classes so that a group has some thousands of prompts, or is one class."""
    group: list[ClassKey] = []
    waiting = 0
    for key in keys:
        count = len(key[1]) * len(key[0].words)
        if group and waiting + count > _GROUP_PROMPTS:
            yield group
            group, waiting = [], 0
        group.append(key)
        waiting += count
    if group:
        yield group
