"""The size at which an image is looked at."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_LONGEST = 8


def working_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return the size with the given short side and the image's ratio, at least 1 x 1.

    The long side is at most 8 short sides; a longer image is scaled to that, so that one of a single row of
    pixels does not become gigabytes.
    """
    scale = min(short_side / min(height, width), _LONGEST * short_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_short_side(image: Tensor, short_side: int | None) -> Tensor:
    """Resize (3, H, W) to :func:`working_size`, bilinear with antialiasing; None leaves it as it is."""
    if short_side is None:
        return image
    height, width = working_size(image.shape[-2], image.shape[-1], short_side)
    if (height, width) == image.shape[-2:]:
        return image
    return F.interpolate(image[None], (height, width), mode="bilinear", align_corners=False, antialias=True)[
        0
    ]


def resize_long_side(image: Tensor, long_side: int) -> Tensor:
    """Shrink (3, H, W), bilinear with antialiasing, so that no side exceeds ``long_side`` pixels; smaller
    images are left as they are.
    """
    height, width = image.shape[-2:]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
