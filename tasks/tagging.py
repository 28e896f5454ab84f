"""NLTK's averaged perceptron tagger over many sentences at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .tagger_weights import SCALE, START, TaggerWeights
from .tagger_words import AFTER, AFTER2, BEFORE, BEFORE2, MARKS, OWN, WordTable

_LEAD: Final = len(START)  # marks before the first word of a sentence
_PADDING: Final = len(MARKS)  # and on both of its sides
_BATCH: Final = 1 << 12  # sentences in lock-step


class BatchTagger:
    """Tags position t of all sentences of a batch in one step, since a tag depends on the two before it.

    A token's score is a sum of weights: seven rows of tables, of which two depend on the tags so far. The
    weights are integers times 1/1000, so the sums are exact. NLTK adds floats, and its rounding decides
    between tags with equal sums; such tokens are added up once more in its order. All other sums differ by
    more than its rounding errors, so the tags are NLTK's.

    Args:
        weights: the model.
    """

    def __init__(self, weights: TaggerWeights) -> None:
        self.labels = weights.labels
        self.vocabulary = WordTable(weights)
        self._weights = weights
        self._pair_rows = _tag_pair_rows(weights)
        self._tag_pairs = weights.rows[self._pair_rows].sum(axis=2).reshape(-1, len(weights.labels))
        self._tag_pairs = self._tag_pairs.astype(np.int32)

    @classmethod
    def load(cls) -> BatchTagger:
        """Read the model from NLTK's search path; raises as :meth:`TaggerWeights.load`."""
        return cls(TaggerWeights.load())

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return one tag per token of each sentence."""
        lengths = np.array([len(sentence) for sentence in sentences], np.int64)
        ids = self.vocabulary.intern(chain.from_iterable(sentences), int(lengths.sum()))
        names = [self.labels[tag] for tag in self.tag(ids, lengths).tolist()]
        ends = np.cumsum(lengths)
        return [names[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def tag(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.int16]:
        """Tag sentences that lie one after the other.

        Args:
            ids: (tokens,) ids of ``vocabulary``.
            lengths: (sentences,) tokens of each, adding up to the former.

        Returns:
            (tokens,) indices into ``labels``.
        """
        tags = np.empty(len(ids), np.int16)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        for first in range(0, len(lengths), _BATCH):
            part = lengths[first : first + _BATCH]
            tokens = slice(starts[first], starts[first + len(part)])
            tags[tokens] = self._tag_batch(ids[tokens], part)
        return tags

    def _tag_batch(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.int16]:
        words, inner, starts = _padded(ids, lengths)
        tags = self.vocabulary.tags[words].copy()
        tags[starts - 1], tags[starts - 2] = len(self.labels), len(self.labels) + 1
        undecided = tags < 0
        order = np.argsort(-lengths, kind="stable")
        starts = starts[order]
        active = np.searchsorted(-lengths[order], -np.arange(lengths.max(initial=0)), side="left")
        table = self._table()
        for step, count in enumerate(active):
            places = starts[:count] + step
            places = places[undecided[places]]
            if len(places):
                tags[places] = self._predict(table, words, tags, places)
        return tags[inner]

    def _table(self) -> NDArray[np.int32]:
        """Stack all rows a score is a sum of: words' sums, tag pairs, and the weights themselves."""
        vocabulary = self.vocabulary
        return np.concatenate((vocabulary.table[: vocabulary.rows], self._tag_pairs, self._weights.rows))

    def _predict(
        self,
        table: NDArray[np.int32],
        words: NDArray[np.int32],
        tags: NDArray[np.int16],
        places: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        vocabulary, tag_count = self.vocabulary, len(self.labels) + _LEAD
        last = tags[places - 1].astype(np.int32)
        pair = last * tag_count + tags[places - 2]
        paired = vocabulary.pairs[vocabulary.paired[words[places]], last]
        rows = np.empty((len(places), 7), np.int32)
        for column, (kind, offset) in enumerate(_NEIGHBOURS):
            rows[:, column] = vocabulary.sums[words[places + offset], kind]
        rows[:, 5] = vocabulary.rows + pair
        rows[:, 6] = vocabulary.rows + len(self._tag_pairs) + paired
        scores = _sum_rows(table, rows)
        best = scores.argmax(axis=1)
        top = np.take_along_axis(scores, best[:, None], axis=1)
        for tie in np.flatnonzero((scores == top).sum(axis=1) > 1):
            best[tie] = self._as_nltk(words, places[tie], int(pair[tie]), int(paired[tie]))
        return best

    def _as_nltk(self, words: NDArray[np.int32], place: int, pair: int, paired: int) -> int:
        """Choose a tag by sums of floats in the order in which NLTK adds a token's features."""
        bias, last, last2, both = self._pair_rows.reshape(-1, 4)[pair]
        suffix, first, word = self.vocabulary.features[words[place], 0:3]
        before, before_suffix = self.vocabulary.features[words[place - 1], 3:5]
        after, after_suffix = self.vocabulary.features[words[place + 1], 6:8]
        before2 = self.vocabulary.features[words[place - 2], 5]
        after2 = self.vocabulary.features[words[place + 2], 8]
        order = [bias, suffix, first, last, last2, both, word, paired, before, before_suffix, before2]
        order += [after, after_suffix, after2]
        total = np.zeros(len(self.labels))
        for row in order:
            total += self._weights.rows[row] / SCALE
        return int(total.argmax())


_NEIGHBOURS: Final = ((OWN, 0), (BEFORE, -1), (BEFORE2, -2), (AFTER, 1), (AFTER2, 2))


def _sum_rows(table: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return (n, columns): for each line of ``rows`` (n, k) the sum of those rows of the table."""
    n, k = rows.shape
    ones = np.ones(n * k, np.int32)
    picks = csr_array((ones, rows.ravel(), np.arange(0, n * k + 1, k)), shape=(n, len(table)))
    return np.asarray(picks @ table)


def _padded(
    ids: NDArray[np.int32], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Put two marks before and after each sentence; return words, where the tokens lie, and starts."""
    ends = np.cumsum(lengths + _PADDING)
    starts = ends - lengths - _PADDING + _LEAD
    words = np.empty(len(ids) + _PADDING * len(lengths), np.int32)
    for mark, places in enumerate((starts - 2, starts - 1, starts + lengths, starts + lengths + 1)):
        words[places] = mark
    inner = np.arange(len(ids)) + np.repeat(_LEAD + _PADDING * np.arange(len(lengths)), lengths)
    words[inner] = ids
    return words, inner, starts


def _tag_pair_rows(weights: TaggerWeights) -> NDArray[np.int32]:
    """Return (tags + 2, tags + 2, 4): rows of the features that the last tag and the one before it give."""
    tags = (*weights.labels, *START)
    return np.array(
        [
            [
                (
                    weights.row("bias"),
                    weights.row("i-1 tag", last),
                    weights.row("i-2 tag", last2),
                    weights.row("i tag+i-2 tag", f"{last} {last2}"),
                )
                for last2 in tags
            ]
            for last in tags
        ],
        np.int32,
    )
