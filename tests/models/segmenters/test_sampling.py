from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from maskmill.models.segmenters.sampling import Axis, bands, sample

SIZES = [((3, 5), (7, 9)), ((1, 1), (4, 6)), ((6, 4), (2, 3)), ((2, 7), (1, 1))]


def _resized(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(values[None], size, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize(("grid", "size"), SIZES)
@pytest.mark.parametrize("limit", [1, 30, 10_000])
def test_bands_are_rows_of_torchs_bilinear_resizing(
    grid: tuple[int, int], size: tuple[int, int], limit: int
) -> None:
    values = torch.randn(3, *grid)
    rows, columns = [Axis.of(size[0], grid[0])], [Axis.of(size[1], grid[1])]
    parts = list(bands(values, rows, columns, limit))
    torch.testing.assert_close(torch.cat(parts, dim=1), _resized(values, size), atol=1e-5, rtol=0)
    assert all(part.shape[1] == 1 or part.numel() <= limit for part in parts)


@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_several_axes_are_several_resizings(grid: tuple[int, int], size: tuple[int, int]) -> None:
    values, between = torch.randn(2, *grid), (11, 8)
    rows, columns = (
        [Axis.of(middle, cells), Axis.of(pixels, middle)]
        for cells, middle, pixels in zip(grid, between, size, strict=True)
    )
    expected = _resized(_resized(values, between), size)
    result = torch.cat(list(bands(values, rows, columns, 20)), dim=1)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


def test_some_pixels_alone_are_what_they_are_among_all() -> None:
    values, axis = torch.randn(2, 5, 4), Axis.of(9, 5)
    wanted = torch.tensor([8, 0, 3])
    assert torch.equal(sample(values, [axis], 1, wanted), sample(values, [axis], 1)[:, wanted])


def test_an_extent_leaves_out_what_lies_beyond_it() -> None:
    """Ten pixels over the first 2.5 of 3 cells are the first ten of twelve over all of them."""
    values = torch.randn(1, 3, 2)
    part = sample(values, [Axis.of(10, 3, 2.5)], 1)
    torch.testing.assert_close(part, sample(values, [Axis.of(12, 3)], 1)[:, :10], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_multiplying_with_text_first_is_sampling_features_first(
    grid: tuple[int, int], size: tuple[int, int]
) -> None:
    features, texts = torch.randn(16, *grid, dtype=torch.float64), torch.randn(5, 16, dtype=torch.float64)
    rows, columns = [Axis.of(size[0], grid[0])], [Axis.of(size[1], grid[1])]
    first = torch.einsum("ce,ehw->chw", texts, features)
    last = torch.cat(list(bands(features, rows, columns, 100)), dim=1)
    torch.testing.assert_close(
        torch.cat(list(bands(first, rows, columns, 100)), dim=1),
        torch.einsum("ce,ehw->chw", texts, last),
        atol=1e-12,
        rtol=0,
    )
