"""One picture of the gallery with what was found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import LabelMap


@dataclass(frozen=True)
class GalleryItem:
    """One picture with what was found in it.

    Args:
        key: the sample's key in its corpus.
        image: (H, W, 3) uint8 RGB.
        truth, teacher, student: label maps of any size with the picture's aspect; None where there is none.
        scores: mIoU of teacher and student on this picture, in [0, 1].
        captions: the picture's captions.
        group: why the picture is shown, e.g. ``best``, ``worst``, ``random``.
    """

    key: str
    image: NDArray[np.uint8]
    truth: LabelMap | None = None
    teacher: LabelMap | None = None
    student: LabelMap | None = None
    scores: tuple[float | None, float | None] = (None, None)
    captions: tuple[str, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) uint8, got {self.image.shape} {self.image.dtype}")


def index_map(labels: NDArray[np.integer[Any]], names: Sequence[str]) -> LabelMap:
    """Wrap plain class ids (H, W), e.g. ground truth, as a label map that is certain everywhere."""
    return LabelMap(labels.astype(np.uint16), np.ones(labels.shape, np.float16), tuple(names))
