"""The words of classes beside free text, as a sentence encoder sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..models.metrics.free_text import UNASSIGNED, reassign
from ..models.zero_guidance.sentences import SentenceEncoder
from ..schemas.vocabulary import Vocabulary


class ClassWords:
    """Compares texts with a vocabulary's classes; a class is met by any of its words.

    Args:
        sentences: texts to unit vectors; each text is embedded once.
        vocabulary: where it has no background, class 0 is left out.
    """

    def __init__(self, sentences: SentenceEncoder, vocabulary: Vocabulary) -> None:
        self._sentences = sentences
        self._known: dict[str, NDArray[np.float32]] = {}
        first = 0 if vocabulary.has_background else 1
        pairs = [(word, i) for i, c in enumerate(vocabulary.classes) if i >= first for word in c.words]
        self._vectors = self._embed([word for word, _ in pairs])
        self._owners = np.array([owner for _, owner in pairs], np.int64)

    def nearest(self, texts: Sequence[str], threshold: float) -> NDArray[np.int64]:
        """Return the class of each text whose word is nearest, UNASSIGNED where none is near enough or the
        text is empty; (S,).
        """
        words = reassign(self._embed(texts), self._vectors, threshold)
        told = np.array([bool(text) for text in texts], bool)
        return np.where((words == UNASSIGNED) | ~told, UNASSIGNED, self._owners[words])

    def pairs(
        self, texts: Sequence[str], classes: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (S, D) vectors of texts, 0 for an empty one, and of the word of each one's class that is
        nearest to it.
        """
        vectors = self._embed(texts) * np.array([[bool(text)] for text in texts], np.float32)
        cosines = vectors @ self._vectors.T
        cosines[self._owners[None] != np.asarray(classes)[:, None]] = -np.inf
        return vectors, self._vectors[cosines.argmax(axis=1)]

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for text, vector in zip(new, self._sentences.embed(new).cpu().numpy(), strict=True):
            self._known[text] = vector.astype(np.float32)
        return np.stack([self._known[text] for text in texts])
