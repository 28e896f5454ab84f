"""The result of segmenting one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 0
IGNORE = 65535


@dataclass(frozen=True)
class LabelMap:
    """Per-pixel labels of one image at its original size.

    Args:
        labels: (H, W) uint16; 0 is background, 65535 is ignore, any other id indexes ``names``.
        scores: (H, W) float16 in [0, 1], the confidence of each pixel's label.
        names: the names that the ids stand for; ``names[0]`` is the background.
        label_kind: what the names are: ``vocabulary``, the words that were asked for, or ``free_text``, words
            of the segmenter's own.

    Raises:
        ValueError: shapes, dtypes or ids do not fit together.
    """

    labels: NDArray[np.uint16]
    scores: NDArray[np.float16]
    names: tuple[str, ...]
    label_kind: str = "vocabulary"

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape != self.scores.shape:
            raise ValueError(f"labels {self.labels.shape} and scores {self.scores.shape} must be one (H, W)")
        if self.labels.dtype != np.uint16 or self.scores.dtype != np.float16:
            raise ValueError(f"expected uint16 and float16, got {self.labels.dtype} and {self.scores.dtype}")
        used = self.labels[self.labels != IGNORE]
        if used.size and int(used.max()) >= len(self.names):
            raise ValueError(f"label {int(used.max())} has no name among {len(self.names)}")
