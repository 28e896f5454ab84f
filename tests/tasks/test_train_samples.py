from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from maskmill.catalogs import MaskSample
from maskmill.schemas.config import TrainConfig
from maskmill.schemas.labelmap import IGNORE
from maskmill.tasks import train_samples
from maskmill.tasks.train_samples import Draw, DrawPlan, TrainingCrops

CONFIG = TrainConfig(steps=7, batch_size=3, crop=32, short_side=40, seed=5)


class _Counting:
    """Two images, left half of class 1; counts by key how often each is decoded."""

    def __init__(self, decoded: Counter[str]) -> None:
        self.decoded = decoded

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> MaskSample:
        value = (10, 200)[index]
        self.decoded[str(value)] += 1
        labels = np.zeros((60, 80), np.uint16)
        labels[:, :40] = 1
        image, weights = np.full((60, 80, 3), value, np.uint8), np.ones((60, 80), np.float32)
        return MaskSample(image, labels, weights, np.ones(2, bool), str(value), str(index), False)


def test_every_epoch_draws_every_image_once() -> None:
    plan = DrawPlan(7, CONFIG)
    draws = [draw.image for batch in plan for draw in batch]
    assert len(plan) == 7
    assert len(draws) == 21
    for epoch in range(3):
        assert sorted(draws[7 * epoch : 7 * epoch + 7]) == list(range(7))
    assert draws[:7] != draws[7:14]


def test_a_resumed_plan_draws_what_would_have_come() -> None:
    whole = list(DrawPlan(5, CONFIG))
    assert list(DrawPlan(5, CONFIG, first_step=4)) == whole[4:]
    assert list(DrawPlan(5, CONFIG.model_copy(update={"seed": 6}))) != whole


def test_no_two_draws_share_a_seed() -> None:
    seeds = [draw.seed for batch in DrawPlan(2, CONFIG) for draw in batch]
    assert len(set(seeds)) == len(seeds)


def test_a_draw_always_gives_the_same_crop() -> None:
    crops = TrainingCrops(_Counting(Counter()), CONFIG)
    first, again, other = crops[Draw(1, (0, 0, 0))], crops[Draw(1, (0, 0, 0))], crops[Draw(1, (0, 0, 1))]
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (3, 32, 32)
    assert first[1].shape == (32, 32)
    assert set(first[1].unique().tolist()) <= {0, 1, IGNORE}


def test_images_are_decoded_once_while_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: Counter[str] = Counter()
    crops = TrainingCrops(_Counting(decoded), CONFIG)
    for step in range(4):
        crops[Draw(0, (0, step, 0))], crops[Draw(1, (0, step, 0))]
    assert decoded == {"10": 1, "200": 1}
    monkeypatch.setattr(train_samples, "_CACHE_BYTES", 1)
    tight = TrainingCrops(_Counting(decoded := Counter()), CONFIG)
    for step in range(4):
        tight[Draw(0, (0, step, 0))], tight[Draw(1, (0, step, 0))]
    assert decoded == {"10": 1, "200": 4}
