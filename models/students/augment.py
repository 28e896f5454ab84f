"""Random crops and colours for training, drawn from a generator that the caller seeds."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.labelmap import IGNORE
from .resize import labels_to

Scalar = TypeVar("Scalar", bound=np.generic)

_SCALES = (0.7, 1.6)
_JITTER = 0.3
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma


def random_crop(
    image: NDArray[np.uint8], labels: NDArray[np.uint16], crop: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Cut a square of random place and size, flip it half of the time and resize it.

    The square's side is ``crop / s``, s log-uniform in [0.7, 1.6]; where it leaves the image it holds black
    pixels to ignore.

    Args:
        image: (H, W, 3) RGB.
        labels: (H, W).

    Returns:
        float32 (3, crop, crop) in [0, 1] and int64 (crop, crop).
    """
    side = max(1, round(crop / np.exp(rng.uniform(*np.log(_SCALES)))))
    top, left = (_start(extent, side, rng) for extent in labels.shape)
    flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
    window = np.s_[max(top, 0) : max(top, 0) + side, max(left, 0) : max(left, 0) + side]
    pixels, ids = _pad(image[window], side, 0)[:, flip], _pad(labels[window], side, IGNORE)[:, flip]
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float().div_(255)
    planes = F.interpolate(planes[None], size=(crop, crop), mode="bilinear", antialias=side > crop)[0]
    return planes.clamp_(0, 1), torch.from_numpy(labels_to(ids, (crop, crop)).astype(np.int64))


def colour_jitter(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast and saturation by factors in [0.7, 1.3].

    Args:
        image: float (3, H, W) in [0, 1]; so is the result.
    """
    brightness, contrast, saturation = rng.uniform(1 - _JITTER, 1 + _JITTER, 3).tolist()
    grey = (image * image.new_tensor(_GREY).view(3, 1, 1)).sum(0, keepdim=True)
    vivid = torch.lerp(grey, image, saturation)
    return torch.lerp(grey.mean(), vivid, contrast).mul(brightness).clamp(0, 1)


def _start(extent: int, side: int, rng: np.random.Generator) -> int:
    return int(rng.integers(extent - side + 1)) if extent > side else 0


def _pad(array: NDArray[Scalar], side: int, value: int) -> NDArray[Scalar]:
    missing = [(0, side - n) for n in array.shape[:2]] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, missing, constant_values=value)
