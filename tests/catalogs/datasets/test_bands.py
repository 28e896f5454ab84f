"""The bands of many images at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from maskmill.catalogs.datasets.bands import Bands, bands_of
from maskmill.catalogs.datasets.shard_bands import ShardBands
from maskmill.catalogs.rle import encode_mask
from maskmill.schemas.errors import CatalogError

SIZES = st.tuples(st.integers(1, 7), st.integers(1, 7))
IMAGES = st.lists(
    SIZES.flatmap(lambda size: arrays.arrays(np.bool_, st.integers(0, 3).map(lambda n: (n, *size)))),
    min_size=1,
    max_size=5,
)


def _shard(images: list[np.ndarray], damaged: int | None = None) -> ShardBands:
    rles = [[encode_mask(mask) for mask in stack] for stack in images]
    if damaged is not None:
        rles[damaged][0] = b"0"
    # A slice, as a part of a larger column is.
    column = pa.array([b"before", *(rle for stack in rles for rle in stack)], pa.binary())[1:]
    first = np.cumsum([0, *map(len, rles)])
    return ShardBands(column, first, np.array([stack.shape[1:] for stack in images]).T)


def _map(bands: Bands, height: int, width: int) -> np.ndarray:
    return np.repeat(bands.masks, bands.lengths).reshape(width, height).T


@settings(deadline=None)
@given(IMAGES)
def test_every_image_of_a_shard_has_the_uppermost_mask_of_each_pixel(images: list[np.ndarray]) -> None:
    shard = _shard(images)
    for row in reversed(range(len(images))):
        stack = images[row]
        expected = np.full(stack.shape[1:], -1)
        for number, mask in enumerate(stack):
            expected[mask] = number
        bands = shard.of(row)
        assert (bands.lengths > 0).all()
        assert np.array_equal(_map(bands, *stack.shape[1:]), expected)


def test_images_beyond_a_block_are_found_in_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskmill.catalogs.datasets.shard_bands._BLOCK_BYTES", 8)
    rng = np.random.default_rng(0)
    images = [rng.random((n % 3, 6, 5)) < 0.5 for n in range(20)]
    shard = _shard(images)
    for row, stack in enumerate(images):
        alone = bands_of([encode_mask(mask) for mask in stack], 6, 5)
        for got, expected in zip(shard.of(row), alone, strict=True):
            assert np.array_equal(got, expected)


def test_a_damaged_mask_spoils_its_own_image_only() -> None:
    shard = _shard([np.ones((1, 3, 4), bool)] * 3, damaged=1)
    with pytest.raises(CatalogError, match="damaged mask"):
        shard.of(1)
    assert shard.of(0).lengths.tolist() == shard.of(2).lengths.tolist() == [12]
