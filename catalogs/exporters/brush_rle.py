"""The run-length encoding of Label Studio's brush.

A stream of bits, highest first: 32 bits number of values, 5 bits word size less 1, four times 4 bits length
of a counter less 1; then runs: 1 bit, 2 bits which counter, the counter with the run's length less 1, and the
value in a word. A first bit of 0 says that single values follow instead; it is not used here. The values are
the RGBA bytes of the image, row by row, all four 255 in the mask and 0 elsewhere.

Source: https://github.com/thi-ng/umbrella, packages/rle-pack, which Label Studio uses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WORD = 8
_COUNTERS = (3, 4, 8, 16)
_CHANNELS = 4
_LONGEST = 1 << _COUNTERS[-1]


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """Return the bytes of a mask.

    Args:
        mask: (H, W) bool, of less than 2**30 pixels.
    """
    flat = mask.ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    lengths = np.diff(np.append(starts, flat.size)) * _CHANNELS
    head = f"{flat.size * _CHANNELS:032b}{_WORD - 1:05b}" + "".join(f"{c - 1:04b}" for c in _COUNTERS)
    runs = zip(lengths.tolist(), flat[starts].tolist(), strict=True)
    bits = head + "".join(_run(length, value) for length, value in runs)
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _run(length: int, value: bool) -> str:
    word = "1" * _WORD if value else "0" * _WORD
    longest = f"111{_LONGEST - 1:016b}{word}"
    whole, rest = divmod(length, _LONGEST)
    if not rest:
        return longest * whole
    which = next(i for i, bits in enumerate(_COUNTERS) if rest <= 1 << bits)
    return longest * whole + f"1{which:02b}{rest - 1:0{_COUNTERS[which]}b}{word}"
