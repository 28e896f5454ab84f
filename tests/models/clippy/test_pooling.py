"""Poolings against loops over their equations."""

from __future__ import annotations

import math

import pytest
import torch

from maskmill.models.clippy.pooling import average_pool, max_pool, text_similarity_pool, weighted_max_pool


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(2, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_weighted_max_pooling_weighs_each_channel_by_itself(tokens: torch.Tensor, temperature: float) -> None:
    found = weighted_max_pool(tokens, temperature)
    for image in range(2):
        for channel in range(5):
            values = tokens[image, :, channel].tolist()
            weights = [math.exp(value / temperature) for value in values]
            expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
            assert math.isclose(float(found[image, channel]), expected, rel_tol=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_text_similarity_pooling_weighs_locations_by_each_text(
    tokens: torch.Tensor, temperature: float
) -> None:
    similarity = torch.rand(2, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = text_similarity_pool(tokens, similarity, temperature)
    assert found.shape == (2, 3, 5)
    for image in range(2):
        for text in range(3):
            weights = [math.exp(s / temperature) for s in similarity[image, text].tolist()]
            expected = sum(w * tokens[image, i] for i, w in enumerate(weights)) / sum(weights)
            torch.testing.assert_close(found[image, text], expected)


def test_a_temperature_leads_from_the_maximum_to_the_mean(tokens: torch.Tensor) -> None:
    assert torch.allclose(weighted_max_pool(tokens, 1e-4), max_pool(tokens))
    assert torch.allclose(weighted_max_pool(tokens, 1e9), average_pool(tokens), atol=1e-6)
    alike = text_similarity_pool(tokens, torch.rand(2, 3, 7).double(), 1e9)
    assert torch.allclose(alike, average_pool(tokens)[:, None].expand(-1, 3, -1), atol=1e-6)
    assert not torch.allclose(max_pool(tokens), average_pool(tokens), atol=0.1)


def test_the_maximum_takes_channels_from_different_locations() -> None:
    tokens = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    assert max_pool(tokens).tolist() == [[1.0, 2.0]]
