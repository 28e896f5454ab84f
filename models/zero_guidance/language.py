"""From a vector of CLIP's space to words (Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ...schemas.vocabulary import Vocabulary, VocabularyClass

CAPTION_TEMPLATE = "Image of a {}."


@dataclass(frozen=True)
class Described:
    """The words for one segment.

    Args:
        text: a word or a few; "" where nothing was found.
        embedding: (E,) float32 unit vector of the text, in its template, in CLIP's space.
    """

    text: str
    embedding: Tensor


class Describer(Protocol):
    """Finds words for segments.

    Attributes:
        id: method and weights.
        weights: what -> sha256 of weights other than the CLIP's.
    """

    id: str
    weights: Mapping[str, str]

    def __call__(self, embeddings: Tensor) -> list[Described]:
        """Describe (S, E) unit vectors, each by itself."""
        ...


class TextEncoder(Protocol):
    """The text half of a CLIP; :class:`~maskmill.models.encoders.clip.ClipEncoder` has it."""

    def embed_text(self, vocabulary: Vocabulary) -> Tensor: ...


def embed_texts(encoder: TextEncoder, texts: Sequence[str], template: str = "{}") -> Tensor:
    """Return (N, E) unit vectors of N texts in a template; the encoder keeps those it has seen."""
    ordered = list(dict.fromkeys(texts))
    classes = tuple(VocabularyClass(name=text) for text in ordered)
    embedded = encoder.embed_text(Vocabulary(name="texts", classes=classes, templates=(template,)))
    place = {text: index for index, text in enumerate(ordered)}
    return embedded[[place[text] for text in texts]]
