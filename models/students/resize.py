"""The one way in which images reach a student, in training and after it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..resizing import resize_short_side


def to_short_side(image: NDArray[np.uint8], short_side: int, device: torch.device | None = None) -> Tensor:
    """Resize an image to :func:`working_size`, bilinear with anti-aliasing.

    Args:
        image: (H, W, 3) RGB.

    Returns:
        float32 (3, h, w) in [0, 1].
    """
    planes = torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C")).to(device).float().div_(255)
    return resize_short_side(planes, short_side).clamp_(0, 1)


def labels_to(labels: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Resize (H, W) class ids to ``size`` by the nearest pixel centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.int64)
        for new, old in zip(size, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]
