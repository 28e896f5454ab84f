"""The words of a column of captions, read off its bytes with numpy: where they lie, and which are known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]

SLICE_BYTES: Final = 1 << 19  # of text at a time: what a step works on stays in the processor's cache
LAST_CODE: Final = 0x1F  # bytes of a translated text up to this one are kinds of separators, not of words

_HEAD: Final = 8  # bytes
_HEAD_MASKS: Final = np.array([(1 << 8 * size) - 1 for size in range(_HEAD + 1)], np.uint64)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Fibonacci hashing


@dataclass(frozen=True)
class Rows:
    """Consecutive captions.

    Args:
        first: number of the first one in the column.
        text: (n,) UTF-8, one caption after another.
        offsets: (rows + 1,) where each begins in ``text``, and where the last one ends.
    """

    first: int
    text: bytes
    offsets: Indices

    def of(self, places: Indices) -> Indices:
        """Return the row, counted from ``first``, of each byte at ``places``."""
        return np.searchsorted(self.offsets, places, side="right") - 1

    def not_ascii(self) -> NDArray[np.bool_]:
        """Say of each row whether it has a byte above 127."""
        found = np.zeros(len(self.offsets) - 1, bool)
        if not self.text.isascii():
            found[self.of(np.flatnonzero(np.frombuffer(self.text, np.uint8) > 127))] = True
        return found


def row_slices(captions: pa.StringArray, limit: int = SLICE_BYTES) -> Iterator[Rows]:
    """Yield all rows of a column, at most ``limit`` bytes at a time; a longer caption comes alone.

    What lies in the buffer under a null row is handed out too.
    """
    offsets, data = captions.buffers()[1:]
    if not len(captions):
        return
    ends = np.frombuffer(offsets, np.int32)[captions.offset : captions.offset + len(captions) + 1]
    first = 0
    while first < len(captions):
        fitting = int(np.searchsorted(ends, int(ends[first]) + limit, side="right")) - 1
        last = min(max(fitting, first + 1), len(captions))
        begin, end = int(ends[first]), int(ends[last])
        text = data.slice(begin, end - begin).to_pybytes() if end > begin else b""
        yield Rows(first, text, ends[first : last + 1].astype(np.int64) - begin)
        first = last


@dataclass(frozen=True)
class Words:
    """The words of some rows; no word reaches over the end of a row.

    Args:
        text: (n + 8,) the rows' text with every byte translated; those above ``LAST_CODE`` are of words. The
            last eight are 0.
        starts: (words,) first byte of each word, ascending.
        ends: (words,) the byte after its last one.
    """

    text: Bytes
    starts: Indices
    ends: Indices

    @classmethod
    def split(cls, rows: Rows, table: bytes) -> Words:
        """Translate the rows' text by a table of 256 bytes and find its words."""
        text = np.frombuffer(rows.text.translate(table) + bytes(_HEAD), np.uint8)
        inside = text > LAST_CODE
        before, after = np.empty_like(inside), np.empty_like(inside)
        before[0] = after[-1] = False
        before[1:], after[:-1] = inside[:-1], inside[1:]
        before[rows.offsets] = False
        after[rows.offsets[1:][rows.offsets[1:] > 0] - 1] = False
        return cls(text, np.flatnonzero(inside > before), np.flatnonzero(inside > after) + 1)

    def heads(self, which: Indices | slice) -> NDArray[np.uint64]:
        """Return the first eight bytes of words as one number each, those after the word's end as 0."""
        starts = self.starts[which]
        # One number begins at every byte: 8-byte steps of 1 byte, which overlap.
        every = np.ndarray((len(self.text) - _HEAD + 1,), "<u8", self.text, strides=(1,))
        return every[starts] & _HEAD_MASKS[np.minimum(self.ends[which] - starts, _HEAD)]

    def tails(self, which: Indices, width: int) -> NDArray[np.bytes_]:
        """Return words of nine to ``width`` bytes as fixed-width strings."""
        places = self.starts[which, None] + np.arange(width)
        letters = self.text[np.minimum(places, len(self.text) - 1)]
        letters[places >= self.ends[which, None]] = 0
        return letters.view(f"S{width}")[:, 0]


class WordTable:
    """Finds which words of a column are known, exactly; most others are sorted out by one look into a table.

    Args:
        words: ASCII, different, not empty, without byte 0; a word's id is its place here.
        firsts: ids of those that :meth:`find` looks for; :meth:`identify` knows all.
    """

    def __init__(self, words: Sequence[bytes], firsts: Collection[int]) -> None:
        heads = np.array([_head(word) for word in words], np.uint64)
        self._heads = np.unique(heads)
        self._short = np.full(len(self._heads), -1, np.int64)
        short = [i for i, word in enumerate(words) if len(word) <= _HEAD]
        self._short[np.searchsorted(self._heads, heads[short])] = short
        long = sorted((word, i) for i, word in enumerate(words) if len(word) > _HEAD)
        self._width = max((len(word) for word, _ in long), default=0)
        self._long = np.array([word for word, _ in long], f"S{max(self._width, 1)}")
        self._long_ids = np.array([i for _, i in long], np.int64)
        bits = min(max(12, 6 + len(words).bit_length()), 20)
        self._shift = np.uint64(64 - bits)
        self._may_be = np.zeros(1 << bits, bool)
        self._may_be[self._slots(heads[sorted(firsts)])] = True

    def find(self, words: Words) -> tuple[Indices, Indices]:
        """Return which words are among ``firsts``, ascending, and their ids (others that are known may be
        there too)."""
        which = np.flatnonzero(self._may_be[self._slots(words.heads(slice(None)))])
        ids = self.identify(words, which)
        return which[ids >= 0], ids[ids >= 0]

    def identify(self, words: Words, which: Indices) -> Indices:
        """Return the ids of the words at the indices ``which``, -1 for those unknown."""
        ids = np.full(len(which), -1, np.int64)
        if not len(self._heads):
            return ids
        heads = words.heads(which)
        place = np.minimum(np.searchsorted(self._heads, heads), len(self._heads) - 1)
        known = self._heads[place] == heads
        sizes = words.ends[which] - words.starts[which]
        short = known & (sizes <= _HEAD)
        ids[short] = self._short[place[short]]
        long = np.flatnonzero(known & (sizes > _HEAD) & (sizes <= self._width))
        ids[long] = self._identify_long(words, which[long])
        return ids

    def _identify_long(self, words: Words, which: Indices) -> Any:
        if not len(which):
            return which
        texts = words.tails(which, self._width)
        place = np.minimum(np.searchsorted(self._long, texts), len(self._long) - 1)
        return np.where(self._long[place] == texts, self._long_ids[place], -1)

    def _slots(self, heads: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return (heads * _SPREAD) >> self._shift


def _head(word: bytes) -> int:
    return int.from_bytes(word[:_HEAD], "little")
