from __future__ import annotations

import math

import pytest
import torch

from maskmill.models.objectness.dense import (
    pad_to_multiple,
    query_attention,
    resize_positions,
    split_heads,
    to_grid,
)


@pytest.mark.parametrize(("size", "padded"), [((8, 8), (8, 8)), ((9, 15), (16, 16)), ((1, 17), (8, 24))])
def test_padding_is_zero_and_on_the_right_and_at_the_bottom(
    size: tuple[int, int], padded: tuple[int, int]
) -> None:
    image = torch.rand(2, 3, *size) + 1
    result = pad_to_multiple(image, 8)
    assert result.shape[-2:] == padded
    assert torch.equal(result[..., : size[0], : size[1]], image)
    assert float(result.sum()) == pytest.approx(float(image.sum()))


def test_positions_stay_on_their_own_grid_and_keep_the_leading_token_on_others() -> None:
    positions = torch.rand(1 + 9, 5)
    assert resize_positions(positions, (3, 3)) is positions
    resized = resize_positions(positions, (6, 4))
    assert resized.shape == (1 + 24, 5)
    assert torch.equal(resized[0], positions[0])
    flat = resize_positions(torch.full((10, 2), 0.7), (7, 5))
    torch.testing.assert_close(flat, torch.full((36, 2), 0.7))


def test_attention_of_a_query_is_a_softmax_that_includes_the_prefix() -> None:
    query, keys = torch.randn(2, 3, 4), torch.randn(2, 3, 6, 4)
    attention = query_attention(query, keys, prefix=2)
    for b in range(2):
        for h in range(3):
            logits = [float(query[b, h] @ keys[b, h, n]) / math.sqrt(4) for n in range(6)]
            total = sum(math.exp(v) for v in logits)
            for n in range(2, 6):
                assert float(attention[b, h, n - 2]) == pytest.approx(math.exp(logits[n]) / total, rel=1e-4)


def test_heads_and_grids_are_reshaped_and_not_shuffled() -> None:
    tokens = torch.arange(2 * 6 * 4).reshape(2, 6, 4)
    heads = split_heads(tokens, 2)
    assert torch.equal(heads[1, 1, 3], tokens[1, 3, 2:])
    grid = to_grid(tokens, (2, 3))
    assert torch.equal(grid[1, :, 1, 2], tokens[1, 5])
