"""Batches for the demo CLIP: sizes, captions and repeatability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from maskmill.models.clip_training import CLIP_MEAN, CLIP_STD, PairBatch
from maskmill.tasks.demo_pairs import RULES, PairSampler
from maskmill.tasks.demo_pictures import Pictures

_TEXTS = {"closeup": ("a cat", "part of a cat"), "background": ("grass",), "scene": ("a cat and a car",)}


def _tokenizer(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[len(text), sum(map(ord, text))] for text in texts])


def _pools() -> Mapping[str, Pictures]:
    rng = np.random.default_rng(0)
    return {
        kind: Pictures(rng.integers(0, 256, (6, 40, 40, 3), dtype=np.uint8), (texts,) * 6, ((),) * 6)
        for kind, texts in _TEXTS.items()
    }


def _sampler(seed: int = 1000) -> PairSampler:
    return PairSampler(_pools(), _tokenizer, 50, 32, seed)


def _texts(batch: PairBatch) -> list[str]:
    known = {tuple(_tokenizer([text])[0].tolist()): text for texts in _TEXTS.values() for text in texts}
    return [known[tuple(batch.tokens[row].tolist())] for row in batch.captions]


def test_a_batch_has_the_kinds_in_their_shares() -> None:
    batch = next(_sampler())
    texts = _texts(batch)
    assert batch.images.shape == (50, 3, 32, 32)
    assert texts.count("grass") == round(50 * RULES["background"].share)
    assert texts.count("a cat and a car") == round(50 * RULES["scene"].share)
    assert {"a cat", "part of a cat"} <= set(texts)


def test_equal_captions_share_one_row_of_tokens() -> None:
    batch = next(_sampler())
    assert len(batch.tokens) == len(set(_texts(batch))) == int(batch.captions.max()) + 1


def test_the_seed_decides_the_batches() -> None:
    first, again, other = (next(_sampler(seed)) for seed in (1000, 1000, 1001))
    torch.testing.assert_close(first.images, again.images, rtol=0, atol=0)
    assert _texts(first) == _texts(again)
    assert not torch.equal(first.images, other.images)


def test_crops_stay_in_the_range_of_normalised_images() -> None:
    images = next(_sampler()).images
    low = -torch.tensor(CLIP_MEAN) / torch.tensor(CLIP_STD)
    high = (1 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    assert (images.amin(dim=(0, 2, 3)) >= low - 1e-5).all()
    assert (images.amax(dim=(0, 2, 3)) <= high + 1e-5).all()


def test_shares_sum_to_one() -> None:
    assert sum(rule.share for rule in RULES.values()) == pytest.approx(1.0)
