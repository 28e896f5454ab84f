"""Label Studio's brush encoding, written from its description (umbrella's rle-pack), for tests."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray


def brush_rle(alpha: NDArray[np.uint8], widths: tuple[int, int, int, int] = (3, 4, 8, 16)) -> list[int]:
    """Return the bytes of a stroke with an (H, W) alpha, colours zero: each run in the shortest length field.

    Runs of one value are written as pieces of values one by one, so that both kinds of piece occur.
    """
    values = np.zeros((*alpha.shape, 4), np.uint8)
    values[..., 3] = alpha
    pieces = [f"{values.size:032b}{7:05b}", *(f"{width - 1:04b}" for width in widths)]
    for value, run in groupby(values.ravel().tolist()):
        left = len(list(run))
        while left:
            length = min(left, 1 << widths[3])
            field = next(i for i, width in enumerate(widths) if length <= 1 << width)
            head = f"{int(length > 1)}{field:02b}{length - 1:0{widths[field]}b}"
            pieces.append(head + f"{value:08b}")
            left -= length
    bits = "".join(pieces)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
