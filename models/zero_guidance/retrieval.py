"""Words by retrieval: the nearest noun of a list. The fast alternative to generating text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources

import torch
from torch import Tensor

from ...schemas.errors import ConfigError
from ...schemas.vocabulary import load_vocabulary
from .language import CAPTION_TEMPLATE, Described, TextEncoder, embed_texts

SHIPPED_NOUNS = "nouns"
_SHIPPED_FILE = "nouns.txt"


class NounRetrieval:
    """Describes a vector by the noun whose text is nearest to it by cosine.

    All nouns are embedded once; all segments of an image are then compared in one matrix product. The first
    of equally near nouns wins.

    Args:
        encoder: embeds the nouns, in the space of the vectors.
        nouns: at least one.
        template: holds one ``{}``; the default is the sentence that ZeroCap is made to end.

    Attributes:
        id: ``retrieval``, the number of nouns, and 12 digits of their and the template's sha256.
    """

    def __init__(self, encoder: TextEncoder, nouns: Sequence[str], template: str = CAPTION_TEMPLATE) -> None:
        self._nouns = tuple(nouns)
        self._matrix = embed_texts(encoder, self._nouns, template)
        digest = hashlib.sha256("\n".join((template, *self._nouns)).encode()).hexdigest()
        self.id = f"retrieval-{len(self._nouns)}@{digest[:12]}"
        self.weights: Mapping[str, str] = {"nouns": digest}

    @torch.no_grad()
    def __call__(self, embeddings: Tensor) -> list[Described]:
        nearest = (embeddings.to(self._matrix) @ self._matrix.T).argmax(dim=1).tolist()
        return [Described(self._nouns[index], self._matrix[index]) for index in nearest]


def load_nouns(source: str) -> tuple[str, ...]:
    """Return the nouns of a list, each once.

    Args:
        source: ``nouns``, the shipped list: nouns of WordNet's concrete categories (animals, artefacts, body
            parts, food, places, people, plants ...) that the captions of COCO and CC3M use, most frequent
            first; or a shipped vocabulary's name, or a vocabulary file (``.txt`` holds one a line).

    Raises:
        ConfigError: there is no such list, or it is empty.
    """
    if source == SHIPPED_NOUNS:
        text = resources.files("maskmill.models.zero_guidance").joinpath(_SHIPPED_FILE).read_text("utf-8")
        return tuple(text.split("\n")[:-1])
    nouns = tuple(name for name in load_vocabulary(source).names if name != "background")
    if not nouns:
        raise ConfigError(f"noun list {source!r} is empty")
    return nouns
