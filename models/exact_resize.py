"""Two libraries' resizing of 8-bit pictures, bit for bit, on any device.

Published code resizes with OpenCV or Pillow, whose integer arithmetic differs from torch's by a grey level
here and there. Where results have to equal those of such code, so must the rounding; both are re-derived from
the libraries' own fixed-point rules and held against them in the tests.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

_CV_BITS = 11
_PIL_BITS = 22
_BICUBIC_A = -0.5  # Pillow's; torch and OpenCV take -0.75


def opencv_bilinear(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize as ``cv2.resize(image, size, interpolation=INTER_LINEAR)`` does 8-bit images: no antialiasing.

    Weights have 11 bits; the vertical pass drops 4 bits of a row's sum and 16 of each product before it
    rounds.

    Args:
        image: (C, H, W) uint8.
        size: (h, w).

    Returns:
        (C, h, w) uint8.
    """
    rows = _cv_taps(image.shape[1], size[0], clamp=False)
    columns = _cv_taps(image.shape[2], size[1], clamp=True)
    left, right, a0, a1 = (t.to(image.device) for t in columns)
    top, bottom, b0, b1 = (t.to(image.device) for t in rows)
    pixels = image.int()
    across = pixels[:, :, left] * a0 + pixels[:, :, right] * a1
    upper, lower = across[:, top] >> 4, across[:, bottom] >> 4
    mixed = ((upper * b0[:, None]) >> 16) + ((lower * b1[:, None]) >> 16)
    return ((mixed + 2) >> 2).clamp_(0, 255).to(torch.uint8)


def pillow_bicubic(squares: Tensor, side: int) -> Tensor:
    """Resize as ``Image.resize((side, side), BICUBIC)`` does: antialiased where it shrinks, 8 bits after each
    pass, columns first. Pillow picks the order of the passes by its own measure where the two sides differ,
    so only squares are taken.

    Args:
        squares: (N, C, S, S) uint8.
        side: pixels.

    Returns:
        (N, C, side, side) uint8.
    """
    if squares.shape[2] != squares.shape[3]:
        raise ValueError(f"expected squares, got {squares.shape[2]} x {squares.shape[3]} pixels")
    if squares.shape[3] == side:
        return squares
    kernel = _pil_kernel(squares.shape[3], side)
    return _pil_pass(_pil_pass(squares, kernel).transpose(2, 3), kernel).transpose(2, 3)


def _pil_pass(images: Tensor, kernel: Tensor) -> Tensor:
    """Resize the last axis; sums of integers below 2**53 are exact in double precision."""
    summed = images.double() @ kernel.to(images.device).T
    return ((summed + (1 << (_PIL_BITS - 1))) / (1 << _PIL_BITS)).floor_().clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=256)
def _cv_taps(before: int, after: int, *, clamp: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return each output's two inputs and their weights, (after,) int64, int64, int32, int32.

    Beyond the border both inputs are the border's pixel; horizontally the weight is set as well.
    """
    scale = 1.0 / (after / before)
    position = ((torch.arange(after, dtype=torch.float64) + 0.5) * scale - 0.5).float()
    lower = position.floor()
    fraction = position - lower
    index = lower.long()
    if clamp:
        fraction[(index < 0) | (index >= before - 1)] = 0
    weights = [((part * (1 << _CV_BITS)).round()).int() for part in (1 - fraction, fraction)]
    return index.clamp(0, before - 1), (index + 1).clamp(0, before - 1), weights[0], weights[1]


@lru_cache(maxsize=256)
def _pil_kernel(before: int, after: int) -> Tensor:
    """Return the (after, before) weights, whole numbers of 2**-22, as float64."""
    scale = before / after
    support = 2.0 * max(scale, 1.0)
    shrink = 1.0 / max(scale, 1.0)
    kernel = torch.zeros(after, before, dtype=torch.float64)
    for output in range(after):
        centre = (output + 0.5) * scale
        first = max(0, int(centre - support + 0.5))
        last = min(before, int(centre + support + 0.5))
        weights = [_bicubic((x - centre + 0.5) * shrink) for x in range(first, last)]
        share = 1.0 / sum(weights)
        whole = [math.trunc(w * share * (1 << _PIL_BITS) + math.copysign(0.5, w)) for w in weights]
        kernel[output, first:last] = torch.tensor(whole, dtype=torch.float64)
    return kernel


def _bicubic(x: float) -> float:
    x, a = abs(x), _BICUBIC_A
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0
