"""Label Studio's own run-length encoding of what was painted with the brush."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BYTE = 8  # bits of one value


def brush_mask(rle: Sequence[object], height: int, width: int) -> NDArray[np.bool_]:
    """Return the (height, width) mask of a brush region.

    The numbers are bytes of a bit stream (umbrella's rle-pack): 32 bits with the number of values, 5 with the
    bits of a value less one, four times 4 with the bits of a length less one; then pieces, each of one bit
    (a run, or values one by one), 2 bits that choose the length's width, the length less one, and the value
    or values. The values are RGBA, row by row; what counts is alpha, above half of its maximum, which leaves
    an outline that was smoothed where the brush drew it.

    Raises:
        ValueError: the stream is cut short or damaged, or of another size.
    """
    bits = _bits(rle)
    if len(bits) < 53 or _number(bits, 0, 32) != 4 * height * width or _number(bits, 32, 5) + 1 != _BYTE:
        raise ValueError(f"the brush stroke is damaged, or no stroke on {width} x {height} pixels")
    alpha = _values(bits, 4 * height * width)[3::4].reshape(height, width)
    return alpha.astype(np.uint16) * 2 > alpha.max(initial=0)


def _bits(rle: Sequence[object]) -> bytes:
    """Return the stream as text of 0 and 1, in which ``int(.., 2)`` reads any number of bits at once."""
    if not isinstance(rle, list) or not all(type(b) is int and 0 <= b < 256 for b in rle):
        raise ValueError("a brush stroke must be a list of bytes")
    return bytes(np.unpackbits(np.asarray(rle, np.uint8)) + ord("0"))


def _number(bits: bytes, start: int, count: int) -> int:
    return int(bits[start : start + count], 2)


def _values(bits: bytes, count: int) -> NDArray[np.uint8]:
    widths = [_number(bits, place, 4) + 1 for place in range(37, 53, 4)]
    out = np.zeros(count, np.uint8)
    place, filled = 53, 0
    while filled < count:
        if place + 3 > len(bits):
            raise ValueError("the brush stroke is cut short")
        is_run, width = bits[place] == ord("1"), widths[_number(bits, place + 1, 2)]
        length = _number(bits, place + 3, width) + 1 if place + 3 + width <= len(bits) else count
        first = place + 3 + width
        place = first + _BYTE * (1 if is_run else length)
        if place > len(bits) or filled + length > count:
            raise ValueError("the brush stroke is cut short or damaged")
        written = np.frombuffer(bits[first:place], np.uint8) - ord("0")
        out[filled : filled + length] = np.packbits(written)
        filled += length
    return out
