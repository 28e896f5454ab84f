from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.rle_batch import RunBatch, intersections, ious, parse_counts
from maskmill.schemas.errors import CatalogError

Pair = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def batch_of(counts: list[bytes]) -> RunBatch:
    offsets = np.cumsum([0, *map(len, counts)])
    return parse_counts(np.frombuffer(b"".join(counts), np.uint8), offsets)


def sizes(masks: list[NDArray[np.bool_]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    shapes = np.array([mask.shape for mask in masks], np.int64)
    return shapes[:, 0], shapes[:, 1]


shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
pairs = shapes.flatmap(lambda shape: st.tuples(*[hnp.arrays(np.bool_, shape)] * 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(shapes.flatmap(lambda shape: hnp.arrays(np.bool_, shape)), min_size=1, max_size=6))
def test_boxes_are_those_of_pycocotools(masks: list[NDArray[np.bool_]]) -> None:
    batch = batch_of([encode_mask(mask) for mask in masks]).filling(*sizes(masks))
    encoded = [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
    assert batch.boxes(sizes(masks)[0]).tolist() == coco_mask.toBbox(encoded).astype(int).tolist()


def test_runs_of_no_pixels_do_not_widen_a_box() -> None:
    # 2 outside, 0 inside, 3 outside, 1 inside, 6 outside in an image of 3 x 4: the pixel at row 2, column 1.
    lengths = np.array([2, 0, 3, 1, 6])
    assert RunBatch(lengths, np.array([0, 5])).boxes(np.array([3])).tolist() == [[1, 2, 1, 1]]
    none = RunBatch(np.zeros(0, np.int64), np.zeros(1, np.int64))
    assert none.boxes(np.zeros(0, np.int64)).shape == (0, 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=6))
def test_areas_and_ious_are_those_of_the_masks_and_of_pycocotools(given_pairs: list[Pair]) -> None:
    ones, others = [a for a, _ in given_pairs], [b for _, b in given_pairs]
    a, b = (batch_of([encode_mask(m) for m in masks]).filling(*sizes(masks)) for masks in (ones, others))
    assert a.areas().tolist() == [m.sum() for m in ones]
    assert intersections(a, b).tolist() == [(x & y).sum() for x, y in given_pairs]
    expected = [
        coco_mask.iou([coco_mask.encode(np.asfortranarray(x, np.uint8))], [_foreign(y)], [0])[0, 0]
        for x, y in given_pairs
    ]
    assert ious(a, b) == pytest.approx(expected)


def _foreign(mask: NDArray[np.bool_]) -> dict[str, object]:
    return dict(coco_mask.encode(np.asfortranarray(mask, np.uint8)))


def test_long_runs_of_large_images_are_exact() -> None:
    large = np.zeros((6000, 5000), np.bool_)
    large[3:5990, 7:4990] = True
    batch = batch_of([encode_mask(large)] * 3).filling(np.full(3, 6000), np.full(3, 5000))
    assert batch.areas().tolist() == [5987 * 4983] * 3
    assert ious(batch, batch).tolist() == [1.0] * 3


def test_the_bytes_may_begin_anywhere() -> None:
    counts = encode_mask(np.eye(4, dtype=np.bool_))
    data = np.frombuffer(b"junk" + counts + b"more", np.uint8)
    assert parse_counts(data, np.array([4, 4 + len(counts)])).areas().tolist() == [4]


def test_no_masks_are_no_runs() -> None:
    batch = batch_of([])
    assert (batch.areas().tolist(), ious(batch, batch).tolist()) == ([], [])


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        (b"", "its counts are empty"),
        (b"\x00\xff", r"these are no COCO compressed counts: 2 bytes, b'\\x00\\xff'$"),
        (b"0p", "these are no COCO compressed counts"),
        (b"0" + b"P" * 8 + b"0", r"a run is longer than any image: 10 bytes"),
        (b"O", "a run is negative"),
        (b"\x7f" * 40, r"40 bytes, b'\\x7f.*'\.\.\.$"),
    ],
)
def test_damaged_counts_are_shown_wherever_they_stand(counts: bytes, complaint: str) -> None:
    sound = encode_mask(np.eye(4, dtype=np.bool_))
    for batch in ([counts], [sound, counts], [counts, sound, sound]):
        with pytest.raises(CatalogError, match=complaint):
            batch_of(batch)


@pytest.mark.parametrize(("height", "width"), [(4, 5), (-4, -4), (0, 16), (2, 2)])
def test_masks_must_fill_their_image(height: int, width: int) -> None:
    batch = batch_of([encode_mask(np.eye(4, dtype=np.bool_))])
    with pytest.raises(CatalogError, match=rf"runs fill 16 pixels, not {height} x {width}"):
        batch.filling(np.array([height]), np.array([width]))
