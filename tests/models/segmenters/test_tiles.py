from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from maskmill.models.segmenters.tiles import TileGrid, interpolation_matrix


def _positions(height: int, width: int) -> torch.Tensor:
    """Return (3, H, W) whose first two channels are each pixel's row and column."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([y, x, y * 0])


def test_a_side_that_the_patch_divides_is_partitioned() -> None:
    grid = TileGrid(128, 192, 64)
    tiles = grid.cut(_positions(128, 192))
    assert (grid.rows, grid.columns) == (2, 3)
    assert [(int(t[0, 0, 0]), int(t[1, 0, 0])) for t in tiles] == [
        (0, 0), (0, 64), (0, 128), (64, 0), (64, 64), (64, 128),
    ]  # fmt: skip


@pytest.mark.parametrize(("height", "width", "patch"), [(448, 597, 64), (448, 597, 256), (65, 100, 64)])
def test_patches_cover_every_pixel_and_show_nothing_else(height: int, width: int, patch: int) -> None:
    grid = TileGrid(height, width, patch)
    tiles = grid.cut(_positions(height, width))
    assert len(tiles) == math.ceil(height / patch) * math.ceil(width / patch)
    assert tiles.shape[-2:] == (patch, patch)
    seen = torch.zeros(height, width, dtype=torch.bool)
    for tile in tiles:
        seen[tile[0], tile[1]] = True
    assert seen.all()


def test_patches_lie_where_upsampling_puts_their_cells() -> None:
    """The centre of each patch is within half an overlap of its cell's centre in the stretched grid."""
    grid = TileGrid(448, 597, 64)
    centres = grid.cut(_positions(448, 597))[: grid.columns, 1].double().mean(dim=(1, 2)) + 0.5
    cells = (torch.arange(grid.columns) + 0.5) * 597 / grid.columns
    overlap = (64 * grid.columns - 597) / (grid.columns - 1)
    assert float((centres - cells).abs().max()) <= overlap / 2 + 0.5


def test_a_side_shorter_than_the_patch_gives_one_patch_of_its_length() -> None:
    grid = TileGrid(20, 70, 64)
    assert grid.cut(_positions(20, 70)).shape == (2, 3, 20, 64)
    assert TileGrid(1, 1, 64).cut(_positions(1, 1)).shape == (1, 3, 1, 1)


@pytest.mark.parametrize(("pixels", "cells"), [(1, 1), (7, 1), (1, 5), (10, 3), (448, 7), (13, 13), (5, 9)])
def test_the_matrix_is_torchs_bilinear_interpolation(pixels: int, cells: int) -> None:
    values = torch.randn(1, 4, cells, dtype=torch.float64)
    expected = F.interpolate(values, size=pixels, mode="linear", align_corners=False)
    result = values[0] @ interpolation_matrix(pixels, cells).double().T
    torch.testing.assert_close(result, expected[0], atol=1e-6, rtol=0)
