"""Words as numbers: which rows of the tagger's weights speak for a word, worked out once for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .tagger_weights import END, START, TaggerWeights

MARKS: Final = (*START, *END)  # interned first: ids 0 to 3
# What a word tells of itself, of the next two words and of the last two: (kinds of feature of one sum).
_SUMS: Final = (
    (("i suffix", -3, None), ("i pref1", 0, 1), ("i word", None, None)),
    (("i-1 word", None, None), ("i-1 suffix", -3, None)),
    (("i-2 word", None, None),),
    (("i+1 word", None, None), ("i+1 suffix", -3, None)),
    (("i+2 word", None, None),),
)
OWN, BEFORE, BEFORE2, AFTER, AFTER2 = range(5)
"""Columns of :attr:`WordTable.sums`: the word itself, and as the one before, two before, after, two after."""
_Number = TypeVar("_Number", bound=np.generic)
_FEATURES: Final = sum(len(kinds) for kinds in _SUMS)


class _Entry(NamedTuple):
    sums: tuple[int, ...]  # rows of the table of sums
    features: tuple[int, ...]  # rows of the weights, in the order of _SUMS
    tag: int  # index of the tag it always has, or -1
    paired: int  # row of the table of (tag before, word) features


class WordTable:
    """Interns words and holds, per id, where its summed weights stand.

    Sums of rows that several words share (unknown words with one suffix) are kept once, so their number is
    bounded by the model's features and not by the text.

    Args:
        weights: the tagger's.
        limit: words after which :meth:`intern` begins anew.

    Attributes:
        generation: goes up when ids lose their meaning.
        sums: (words, 5) int32, rows of :attr:`table` in the order OWN, BEFORE, BEFORE2, AFTER, AFTER2.
        features: (words, 9) int32, rows of the weights, unsummed.
        tags: (words,) int16, the tag a word always has, -1 where the context decides.
        paired: (words,) int32, row of :attr:`pairs`.
        table: (rows, tags) int32, sums of weights; row 0 is zero. Only its first ``rows`` are filled.
        pairs: (words of the model, tags + 2) int32, row of the weights by the tag before, tags + 0 and + 1
            being the two start marks.
    """

    def __init__(self, weights: TaggerWeights, limit: int = 1 << 19) -> None:
        self._weights = weights
        self._limit = limit
        self._paired: dict[str, int] = {}
        self.pairs = self._pair_rows()
        self.table = np.zeros((1 << 12, len(weights.labels)), np.int32)
        self.rows = 1
        self._combined: dict[tuple[int, ...], int] = {}
        self.generation = 0
        self._start()

    def intern(self, words: Iterable[str], count: int) -> NDArray[np.int32]:
        """Return the ids of ``count`` words, (count,) int32; new words get the next ids."""
        if len(self._ids) > self._limit:
            self.generation += 1
            self._start()
        ids = np.fromiter(map(self._ids.__getitem__, words), np.int32, count)
        self._fill()
        return ids

    @property
    def words(self) -> list[str]:
        """The words by id; the first four are marks of a sentence's ends."""
        return self._ids.words

    def _start(self) -> None:
        self._ids = _Ids(MARKS)
        self.sums = np.zeros((1 << 12, len(_SUMS)), np.int32)
        self.features = np.zeros((1 << 12, _FEATURES), np.int32)
        self.tags = np.full(1 << 12, -1, np.int16)
        self.paired = np.zeros(1 << 12, np.int32)
        self._filled = 0
        self._fill()

    def _fill(self) -> None:
        """Work out the features of the words that have none yet."""
        new = self._ids.words[self._filled :]
        if not new:
            return
        entries = [self._entry(word, self._filled + i < len(MARKS)) for i, word in enumerate(new)]
        end = self._filled + len(new)
        for name in ("sums", "features", "tags", "paired"):
            setattr(self, name, _grown(getattr(self, name), end))
        part = slice(self._filled, end)
        self.sums[part] = [entry.sums for entry in entries]
        self.features[part] = [entry.features for entry in entries]
        self.tags[part] = [entry.tag for entry in entries]
        self.paired[part] = [entry.paired for entry in entries]
        self._filled = end

    def _entry(self, word: str, mark: bool) -> _Entry:
        shape = word if mark else normalise(word)
        sums, features = [], []
        for kinds in _SUMS:
            rows = []
            for kind, first, last in kinds:
                # The suffix and the first letter are those of the word as written, all else of its shape.
                text = word if kind in ("i suffix", "i pref1") else shape
                rows.append(self._weights.row(kind, text[first:last]))
            sums.append(self._sum(tuple(rows)))
            features += rows
        tag = -1 if mark else self._weights.tagdict.get(word, -1)
        return _Entry(tuple(sums), tuple(features), tag, self._paired.get(shape, 0))

    def _sum(self, rows: tuple[int, ...]) -> int:
        """Return the row of the table that holds the sum of some rows of the weights."""
        key = tuple(sorted(filter(None, rows)))
        if not key:
            return 0
        if key not in self._combined:
            self.table = _grown(self.table, self.rows + 1)
            self.table[self.rows] = self._weights.rows[list(key)].sum(axis=0)
            self._combined[key] = self.rows
            self.rows += 1
        return self._combined[key]

    def _pair_rows(self) -> NDArray[np.int32]:
        """Number the words with features of (tag before, word), and return those features' rows."""
        column = {tag: i for i, tag in enumerate((*self._weights.labels, *START))}
        pairs = self._weights.index.get("i-1 tag+i word", {})
        for pair in pairs:
            self._paired.setdefault(pair.split(" ", 1)[1], len(self._paired) + 1)
        rows = np.zeros((len(self._paired) + 1, len(column)), np.int32)
        for pair, row in pairs.items():
            tag, word = pair.split(" ", 1)
            rows[self._paired[word], column[tag]] = row
        return rows


class _Ids(dict[str, int]):
    """Word -> id; a look-up of a new word interns it. Marks have ids and cannot be looked up."""

    def __init__(self, marks: Iterable[str]) -> None:
        super().__init__()
        self.words = list(marks)

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self.words)
        self.words.append(word)
        return number


def normalise(word: str) -> str:
    """Return the shape of a word that the features speak of, as ``PerceptronTagger.normalize`` does."""
    if "-" in word and word[0] != "-":
        return "!HYPHEN"
    if word.isdigit() and len(word) == 4:
        return "!YEAR"
    if word[:1].isdigit():
        return "!DIGITS"
    return word.lower()


def _grown(array: NDArray[_Number], length: int) -> NDArray[_Number]:
    """Return the array with room for ``length`` rows, at least doubled if it has none."""
    if length <= len(array):
        return array
    larger = np.zeros((max(length, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
