"""Training samples: which image at which step, decoded once where memory allows, cropped anew each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..catalogs.datasets import MaskSample
from ..models.students.augment import colour_jitter, random_crop
from ..models.students.resize import labels_to, to_short_side
from ..schemas.config import TrainConfig

_CACHE_BYTES = 1 << 30


class Draw(NamedTuple):
    """One sample of one step: an image by its number, and the seed of its crop and colours."""

    image: int
    seed: tuple[int, int, int]


@dataclass(frozen=True)
class DrawPlan:
    """The draws of every step, which follow from the seed alone, so that a resumed training sees the same
    samples.

    Each epoch is a permutation of all ``images``; a batch may reach over the end of one.
    """

    images: int
    config: TrainConfig
    first_step: int = 0

    def __len__(self) -> int:
        return self.config.steps - self.first_step

    def __iter__(self) -> Iterator[list[Draw]]:
        size, seed = self.config.batch_size, self.config.seed
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.first_step, self.config.steps):
            batch = []
            for slot, position in enumerate(range(step * size, (step + 1) * size)):
                if position // self.images != epoch:
                    epoch = position // self.images
                    order = np.random.default_rng((seed, epoch)).permutation(self.images)
                batch.append(Draw(int(order[position % self.images]), (seed, step, slot)))
            yield batch


class Samples(Protocol):
    """What crops are cut from: a :class:`..catalogs.MaskDataset`, or anything like it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> MaskSample: ...


class TrainingCrops:
    """Map-style dataset from a :class:`Draw` to a crop: float (3, S, S) in [0, 1] and int64 (S, S) class ids.

    Decoded images are kept at the training size until 1 GiB is full, and decoded again beyond that.
    """

    def __init__(self, dataset: Samples, config: TrainConfig) -> None:
        self._dataset = dataset
        self._config = config
        self._kept: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint16]]] = {}
        self._kept_bytes = 0

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(draw.seed)
        image, labels = random_crop(*self._small(draw.image), self._config.crop, rng)
        return colour_jitter(image, rng), labels

    def _small(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Return the image and its labels at the training size."""
        if index in self._kept:
            return self._kept[index]
        sample = self._dataset[index]
        planes = to_short_side(sample.image, self._config.short_side)
        pixels = planes.mul(255).round().byte().permute(1, 2, 0).numpy()
        small = (pixels, labels_to(sample.labels, pixels.shape[:2]))
        if self._kept_bytes < _CACHE_BYTES:
            self._kept[index] = small
            self._kept_bytes += sum(part.nbytes for part in small)
        return small
