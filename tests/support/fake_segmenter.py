"""A segmenter that needs no weights, for ``SegmenterConfig(id="fake_segmenter:FakeSegmenter")``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary

FAKE = "fake_segmenter:FakeSegmenter"


class FakeSegmenter:
    """Answers the second class of its vocabulary in the left half of an image, else the background."""

    id = "fake@1"

    def __init__(self, config: SegmenterConfig) -> None:
        self.weights = {"fake": "0" * 64}

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        return [self._one(image, v) for image, v in zip(images, vocabularies, strict=True)]

    def _one(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> LabelMap:
        labels = np.zeros(image.shape[:2], np.uint16)
        labels[:, : image.shape[1] // 2] = 1
        return LabelMap(labels, np.full(labels.shape, 0.5, np.float16), vocabulary.names)
