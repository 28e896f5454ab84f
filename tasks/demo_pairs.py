"""Batches of augmented crops with a caption each, from a pool of pictures; CLIP-DIY's tiles in mind.

Only pictures and captions enter, no truth. Close-ups are cropped down to a fifth of their side about their
middle, because CLIP-DIY shows CLIP small parts of things, scaled up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.clip_training import CLIP_MEAN, CLIP_STD, PairBatch
from .demo_pictures import Pictures

_GROUP: Final = 16  # pictures that share a crop size, so that they are resized in one call


@dataclass(frozen=True)
class CropRule:
    """How one kind of picture is sampled.

    Args:
        share: of a batch.
        sides: least and greatest side of a crop, as a share of the picture's.
        spread: how much of the room that a crop leaves its place may use; 1 is all, 0 the middle only.
    """

    share: float
    sides: tuple[float, float]
    spread: float


RULES: Final[Mapping[str, CropRule]] = {
    "closeup": CropRule(0.58, (0.2, 1.0), 0.6),
    "background": CropRule(0.18, (0.2, 1.0), 1.0),
    "scene": CropRule(0.24, (0.55, 1.0), 1.0),
}


class PairSampler:
    """An endless iterator of batches of ``batch_size`` pairs, the same ones for the same seed.

    Args:
        pools: pictures by kind; the kinds of ``RULES``.
        tokenizer: list of N texts -> (N, L) int64.
        batch_size: pairs in a batch.
        image_size: side of the crops, px.
        seed: of the sampling and the augmentation.
    """

    def __init__(
        self,
        pools: Mapping[str, Pictures],
        tokenizer: Callable[[list[str]], Tensor],
        batch_size: int,
        image_size: int,
        seed: int,
    ) -> None:
        texts = sorted({text for pool in pools.values() for captions in pool.captions for text in captions})
        self._rows = {text: row for row, text in enumerate(texts)}
        self._tokens = tokenizer(texts)
        self._pools = pools
        self._batch_size = batch_size
        self._image_size = image_size
        self._rng = np.random.default_rng([seed, 77])

    def __iter__(self) -> Iterator[PairBatch]:
        return self

    def __next__(self) -> PairBatch:
        crops: list[Tensor] = []
        rows: list[int] = []
        for kind, count in self._counts().items():
            pool, rule = self._pools[kind], RULES[kind]
            chosen = self._rng.integers(len(pool.captions), size=count)
            for group in np.array_split(chosen, max(1, count // _GROUP)):
                crops.append(self._crop(pool.images[group], rule))
                rows.extend(self._row(pool.captions[index]) for index in group)
        unique, captions = torch.tensor(rows).unique(return_inverse=True)
        return PairBatch(self._augment(torch.cat(crops)), self._tokens[unique], captions)

    def _counts(self) -> dict[str, int]:
        counts = {kind: round(self._batch_size * RULES[kind].share) for kind in self._pools}
        first = next(iter(counts))
        counts[first] += self._batch_size - sum(counts.values())
        return counts

    def _row(self, captions: tuple[str, ...]) -> int:
        return self._rows[captions[int(self._rng.integers(len(captions)))]]

    def _crop(self, images: np.ndarray, rule: CropRule) -> Tensor:
        full = images.shape[1]
        side = round(full * self._rng.uniform(*rule.sides))
        places = 0.5 + rule.spread * (self._rng.random((len(images), 2)) - 0.5)
        corners = np.rint(places * (full - side)).astype(int)
        cut = [image[y : y + side, x : x + side] for image, (y, x) in zip(images, corners, strict=True)]
        crops = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 255
        return F.interpolate(
            crops, (self._image_size, self._image_size), mode="bilinear", antialias=True, align_corners=False
        )

    def _augment(self, crops: Tensor) -> Tensor:
        """Mirror half of the crops and jitter exposure, contrast and tint, then normalise."""
        count = len(crops)
        mirrored = torch.from_numpy(self._rng.random(count) < 0.5)
        crops[mirrored] = crops[mirrored].flip(-1)
        gain = self._rng.uniform(0.85, 1.15, (count, 1, 1, 1)) * self._rng.uniform(
            0.94, 1.06, (count, 3, 1, 1)
        )
        shift = self._rng.uniform(-0.06, 0.06, (count, 1, 1, 1))
        crops = (crops * torch.from_numpy(gain).float() + torch.from_numpy(shift).float()).clamp(0, 1)
        return normalise(crops)


def normalise(images: Tensor) -> Tensor:
    """Normalise (N, 3, H, W) images in [0, 1] by CLIP's mean and standard deviation."""
    mean = torch.tensor(CLIP_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(CLIP_STD).view(1, 3, 1, 1)
    return (images - mean) / std
