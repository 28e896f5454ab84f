from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from maskmill.catalogs.exporters.brush_rle import encode_brush

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 40)))


def decoded(rle: Sequence[int]) -> list[int]:
    """Read the bits one by one as the documented decoder of rle-pack does, single values included."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def read(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    total, word = read(32), read(5) + 1
    counters = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        repeated = read(1)
        length = 1 + read(counters[read(2)])
        values += [read(word)] * length if repeated else [read(word) for _ in range(length)]
    assert len(bits) - at < 8
    return values


@settings(max_examples=200, deadline=None)
@given(masks)
def test_the_documented_decoder_reads_the_mask_in_all_four_channels(mask: NDArray[np.bool_]) -> None:
    assert decoded(encode_brush(mask)) == np.repeat(mask.ravel() * 255, 4).tolist()


@pytest.mark.parametrize("pixels", [2, 4, 64, 65, 16384, 16385, 40000])
def test_runs_of_every_counter_and_beyond_the_longest(pixels: int) -> None:
    mask = np.zeros((1, pixels + 3), bool)
    mask[:, 1 : pixels + 1] = True
    assert decoded(encode_brush(mask)) == np.repeat(mask.ravel() * 255, 4).tolist()


def test_the_decoder_of_label_studio_reads_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its imports deprecate is not ours
        brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="Label Studio's own decoder")
    mask = np.random.default_rng(0).random((30, 50)) > 0.7
    mask[10:20] = True
    assert (brush.decode_rle(encode_brush(mask)).reshape(30, 50, 4) == (mask * 255)[..., None]).all()
