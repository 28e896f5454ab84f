"""Many COCO run-length encodings at a time, as whole-array arithmetic: what SQL functions need to keep up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..schemas.errors import CatalogError

_SHOWN = 16
_FAR = np.int64(1) << 40  # beyond any pixel of an image


@dataclass(frozen=True)
class RunBatch:
    """The runs of N masks, one after the other.

    Args:
        lengths: (R,) int64 pixels, none negative. The runs of a mask are outside and inside in turn, outside
            first, and go down the columns of the image.
        first: (N + 1,) int64; mask i has the runs ``lengths[first[i]:first[i + 1]]``, at least one.
    """

    lengths: NDArray[np.int64]
    first: NDArray[np.int64]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(R,) bool: whether a run is of pixels in its mask."""
        return _places(self.first) % 2 == 1

    def areas(self) -> NDArray[np.int64]:
        """Return the (N,) pixels in each mask."""
        return _sums(np.where(self.inside, self.lengths, 0), self.first)

    def boxes(self, height: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the (N, 4) boxes around the masks: left, top, width, height; zeros around an empty one.

        Args:
            height: (N,) int64 pixels of the images, which the masks fill (`filling`).
        """
        counts = np.diff(self.first)
        begin = np.cumsum(self.lengths) - self.lengths
        begin -= np.repeat(begin[self.first[:-1]], counts)
        end = begin + self.lengths - 1
        tall = np.repeat(height, counts)
        left, right = begin // tall, end // tall
        # A run that goes on in the next column reaches the bottom of one and the top of the other.
        wraps = right > left
        top, bottom = np.where(wraps, 0, begin - left * tall), np.where(wraps, tall - 1, end - right * tall)
        drawn = self.inside & (self.lengths > 0)
        lows = [_least(np.where(drawn, ends, _FAR), self.first) for ends in (left, top)]
        highs = [-_least(np.where(drawn, -ends, _FAR), self.first) for ends in (right, bottom)]
        found = np.stack([*lows, *(high - low + 1 for low, high in zip(lows, highs, strict=True))], axis=1)
        found[lows[0] == _FAR] = 0
        return found

    def filling(self, height: NDArray[np.int64], width: NDArray[np.int64]) -> RunBatch:
        """Return this batch, whose masks fill images of these (N,) sizes.

        Raises:
            CatalogError: one does not, and is damaged or of an image of another size.
        """
        found = _sums(self.lengths, self.first)
        for row in np.flatnonzero((found != height * width) | (height < 1))[:1]:
            size = f"{height[row]} x {width[row]}"
            raise CatalogError(f"damaged mask: its runs fill {found[row]} pixels, not {size}")
        return self


def parse_counts(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> RunBatch:
    """Read N compressed counts that lie one after the other; see `rle.decode_mask` for one of them.

    Args:
        data: bytes of all counts.
        offsets: (N + 1,) int64; counts i are ``data[offsets[i]:offsets[i + 1]]``.

    Raises:
        CatalogError: counts are damaged; the text shows the first that are.
    """
    if len(offsets) == 1:
        return RunBatch(np.zeros(0, np.int64), np.zeros(1, np.int64))
    digits = data[offsets[0] : offsets[-1]].astype(np.int64) - 48
    offsets = offsets - offsets[0]
    _refuse_bad_digits(digits, offsets)
    is_last = digits & 32 == 0
    last = np.flatnonzero(is_last)
    begin = np.concatenate(([0], last[:-1] + 1))
    shift = 5 * (np.arange(len(digits)) - np.repeat(begin, last - begin + 1))
    _refuse(shift > 35, digits, offsets, "a run is longer than any image")
    lengths = np.add.reduceat((digits & 31) << shift, begin)
    lengths -= np.where(digits[last] & 16, np.int64(32) << shift[last], 0)
    first = np.concatenate(([0], np.cumsum(is_last)))[offsets]
    _add_up(lengths, first)
    _refuse(np.repeat(lengths < 0, last - begin + 1), digits, offsets, "a run is negative")
    return RunBatch(lengths, first)


def intersections(a: RunBatch, b: RunBatch) -> NDArray[np.int64]:
    """Return the (N,) pixels that the masks of two batches share, pair by pair.

    Args:
        a, b: N masks each; the two of a pair fill the same number of pixels (`RunBatch.filling`).
    """
    # All images laid end to end are one line of pixels, and cut at the same places in both batches. Of a run
    # of b, what a covers up to its end and did not cover up to the end of the run before is shared.
    inside, ends = a.inside, np.cumsum(a.lengths)
    covered = np.cumsum(np.where(inside, a.lengths, 0))
    cuts = np.cumsum(b.lengths)
    run = np.minimum(np.searchsorted(ends, cuts), len(ends) - 1)
    before = covered[run] - np.where(inside[run], ends[run] - cuts, 0)
    return _sums(np.where(b.inside, np.diff(before, prepend=0), 0), b.first)


def ious(a: RunBatch, b: RunBatch) -> NDArray[np.float64]:
    """Return the (N,) intersections over unions, in [0, 1]; 0 for two empty masks, as pycocotools has it."""
    shared = intersections(a, b)
    union = a.areas() + b.areas() - shared
    return shared / np.maximum(union, 1)


def _places(first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the runs of every mask from 0."""
    return np.arange(first[-1]) - np.repeat(first[:-1], np.diff(first))


def _sums(values: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.concatenate(([0], np.cumsum(values)))
    return np.diff(total[first])


def _least(values: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(first) == 1:
        return np.zeros(0, np.int64)
    least: NDArray[np.int64] = np.minimum.reduceat(values, first[:-1])
    return least


def _add_up(lengths: NDArray[np.int64], first: NDArray[np.int64]) -> None:
    """Turn differences into lengths: from the fourth on, a number is the difference to the one two before."""
    total = np.empty_like(lengths)
    for chain in (slice(0, None, 2), slice(1, None, 2)):
        np.cumsum(lengths[chain], out=total[chain])
    # The sums ran on from mask to mask; what they had come to before each is taken off again.
    begin, counts = first[:-1], np.diff(first)
    before = np.where(begin > 0, total[begin - 1], 0)
    odd = _places(first) % 2 == 1
    starts = lengths[begin]
    lengths[:] = total - np.where(odd, np.repeat(before, counts), np.repeat(total[begin], counts))
    lengths[begin] = starts


def _refuse_bad_digits(digits: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
    if (np.diff(offsets) == 0).any():
        raise CatalogError("damaged mask: its counts are empty")
    bad = (digits < 0) | (digits > 63)
    ends = offsets[1:] - 1
    bad[ends] |= digits[ends] & 32 != 0
    _refuse(bad, digits, offsets, "these are no COCO compressed counts")


def _refuse(bad: NDArray[np.bool_], digits: NDArray[np.int64], offsets: NDArray[np.int64], why: str) -> None:
    if bad.any():
        row = int(np.searchsorted(offsets, int(bad.argmax()), "right")) - 1
        begin, end = int(offsets[row]), int(offsets[row + 1])
        counts = bytes((digits[begin : min(end, begin + _SHOWN)] + 48).astype(np.uint8))
        raise CatalogError(
            f"damaged mask: {why}: {end - begin} bytes, {counts!r}{'...' * (end - begin > _SHOWN)}"
        )
