from __future__ import annotations

import math

import pytest
import torch

from maskmill.models.encoders.positions import interpolate_positions, offset_positions


def _cubic(distance: float) -> float:
    """Keys' cubic kernel with a = -0.75, torch's."""
    a, x = -0.75, abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def _loop(values: torch.Tensor, count: int, offset: float = 0.0) -> torch.Tensor:
    """Resample (n, D) to (count, D), cell centres aligned, borders repeated."""
    length = len(values)
    rows = []
    for target in range(count):
        place = (target + 0.5) * length / (count + offset) - 0.5
        taps = range(math.floor(place) - 1, math.floor(place) + 3)
        rows.append(sum(_cubic(place - t) * values[min(max(t, 0), length - 1)] for t in taps))
    return torch.stack(rows)  # type: ignore[arg-type]


def test_the_learnt_grid_is_left_as_it_is() -> None:
    positions = torch.randn(17, 6)
    assert interpolate_positions(positions, (4, 4), (4, 4)) is positions


@pytest.mark.parametrize("grid", [(2, 2), (3, 7), (9, 5), (1, 1)])
def test_another_grid_is_bicubic_without_antialiasing_in_both_directions(grid: tuple[int, int]) -> None:
    positions = torch.randn(12, 5, dtype=torch.float64)
    square = positions.view(4, 3, 5)
    down = torch.stack([_loop(square[:, c], grid[0]) for c in range(3)], dim=1)
    expected = torch.stack([_loop(down[r], grid[1]) for r in range(grid[0])])
    result = interpolate_positions(positions.float(), (4, 3), grid)
    torch.testing.assert_close(result, expected.flatten(0, 1).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("grid", [(2, 2), (3, 7), (9, 5), (1, 1), (14, 28)])
def test_dinos_offset_samples_at_slightly_smaller_steps(grid: tuple[int, int]) -> None:
    positions = torch.randn(1 + 12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    square = positions[1:].view(4, 3, 5)
    down = torch.stack([_loop(square[:, c], grid[0], 0.1) for c in range(3)], dim=1)
    expected = torch.stack([_loop(down[r], grid[1], 0.1) for r in range(grid[0])])
    found = offset_positions(positions.float(), (4, 3), grid)
    torch.testing.assert_close(found[1:], expected.flatten(0, 1).float(), atol=1e-4, rtol=0)
    assert torch.equal(found[:1], positions[:1].float())
    assert not torch.allclose(found, interpolate_positions(positions.float(), (4, 3), grid), atol=1e-3)


def test_dinos_offset_leaves_the_learnt_grid_as_it_is() -> None:
    positions = torch.randn(17, 6)
    assert offset_positions(positions, (4, 4), (4, 4)) is positions


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_positions_of_prefix_tokens_are_kept(prefix: int) -> None:
    positions = torch.randn(prefix + 9, 4)
    result = interpolate_positions(positions, (3, 3), (5, 2))
    assert result.shape == (prefix + 10, 4)
    assert torch.equal(result[:prefix], positions[:prefix])
    torch.testing.assert_close(
        result[prefix:], interpolate_positions(positions[prefix:], (3, 3), (5, 2)), atol=1e-6, rtol=0
    )


def test_half_precision_is_kept() -> None:
    assert interpolate_positions(torch.randn(5, 4).half(), (2, 2), (3, 3)).dtype == torch.float16
