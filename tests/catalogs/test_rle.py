from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy import ndimage

from maskmill.catalogs import rle
from maskmill.catalogs.rle import decode_mask, decode_runs, encode_mask, mask_rows, pixel_entropy
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.labelmap import IGNORE, LabelMap

SIDES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
MASKS = hnp.arrays(np.bool_, SIDES)
NAMES = ("background", "cat", "dog", "tree")


def _map(labels: NDArray[np.uint16], scores: float = 0.5, names: tuple[str, ...] = NAMES) -> LabelMap:
    return LabelMap(labels, np.full(labels.shape, scores, np.float16), names)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on numpy 2
@given(MASKS)
def test_masks_survive_and_agree_with_pycocotools(mask: NDArray[np.bool_]) -> None:
    encoded = encode_mask(mask)
    height, width = mask.shape
    reference = {"size": [height, width], "counts": encoded}
    assert coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"] == encoded
    decoded = decode_mask(encoded, height, width)
    assert decoded.dtype == np.bool_
    assert np.array_equal(decoded, mask)
    assert np.array_equal(coco_mask.decode(reference).astype(bool), decoded)


@pytest.mark.parametrize("value", [False, True])
def test_a_large_plain_mask_survives(value: bool) -> None:
    mask = np.full((3000, 4001), value)
    assert np.array_equal(decode_mask(encode_mask(mask), 3000, 4001), mask)


@given(st.binary(max_size=40), st.integers(1, 9), st.integers(1, 9))
def test_any_bytes_are_a_mask_or_an_error(data: bytes, height: int, width: int) -> None:
    try:
        mask = decode_mask(data, height, width)
    except CatalogError as err:
        assert "damaged mask" in str(err)
        return
    # Runs of no length can be written in more than one way, so the mask must survive but not the bytes.
    assert np.array_equal(decode_mask(encode_mask(mask), height, width), mask)


def test_a_mask_of_another_size_is_an_error() -> None:
    with pytest.raises(CatalogError, match="do not fill 5 x 4"):
        decode_mask(encode_mask(np.ones((4, 4), np.bool_)), 5, 4)


def test_each_label_is_measured() -> None:
    labels = np.zeros((6, 8), np.uint16)
    labels[1:3, 2:6] = 2
    labels[3, 6] = 2  # touches by a corner
    labels[5, 0] = 2
    labels[0, :] = 1
    labels[4, :] = IGNORE
    scores = np.linspace(0, 1, labels.size, dtype=np.float16).reshape(labels.shape)
    cat, dog = mask_rows(LabelMap(labels, scores, NAMES), min_area=1)
    assert {name: dog[name] for name in dog if name not in ("rle", "score")} == {
        "label": "dog",
        "height": 6,
        "width": 8,
        "bbox_x": 0,
        "bbox_y": 1,
        "bbox_w": 7,
        "bbox_h": 5,
        "area": 10,
        "area_fraction": pytest.approx(10 / 48),
        "components": 2,
        "entropy": pytest.approx(np.mean([_binary_entropy(float(p)) for p in scores[labels == 2]])),
    }
    assert dog["score"] == pytest.approx(scores[labels == 2].astype(float).mean())
    assert dog["rle"] == encode_mask(labels == 2)
    assert (cat["label"], cat["area"], cat["components"]) == ("cat", 8, 1)


@given(hnp.arrays(np.uint16, SIDES, elements=st.sampled_from([0, 1, 2, 3, IGNORE])), st.integers(0, 30))
def test_rows_agree_with_the_masks_of_the_labels(labels: NDArray[np.uint16], min_area: int) -> None:
    rows = mask_rows(_map(labels), min_area=min_area)
    areas = {name: int((labels == i).sum()) for i, name in enumerate(NAMES) if i}
    assert [row["label"] for row in rows] == [name for name in areas if areas[name] >= max(min_area, 1)]
    for row in rows:
        mask = labels == NAMES.index(row["label"])
        assert np.array_equal(decode_mask(row["rle"], *mask.shape), mask)
        assert row["components"] == ndimage.label(mask, np.ones((3, 3)))[1]
        box = [row["bbox_x"], row["bbox_y"], row["bbox_w"], row["bbox_h"]]
        reference = {"size": list(mask.shape), "counts": row["rle"]}
        assert box == coco_mask.toBbox(reference).astype(int).tolist()
        assert row["area"] == coco_mask.area(reference) == areas[row["label"]]


@given(st.data())
def test_statistics_agree_with_a_slow_loop_over_pixels(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
    labels = data.draw(hnp.arrays(np.uint16, shape, elements=st.sampled_from([0, 1, 2, IGNORE])))
    scores = data.draw(hnp.arrays(np.float16, shape, elements=st.floats(0, 1, width=16)))
    rows = mask_rows(LabelMap(labels, scores, NAMES), min_area=1)
    assert len(rows) == len(set(labels.ravel().tolist()) - {0, IGNORE})
    for row in rows:
        pixels = {(y, x) for y, x in np.ndindex(shape) if labels[y, x] == NAMES.index(row["label"])}
        ys, xs = [y for y, _ in pixels], [x for _, x in pixels]
        box = (min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)
        assert (row["bbox_x"], row["bbox_y"], row["bbox_w"], row["bbox_h"]) == box
        assert row["area"] == len(pixels)
        assert row["area_fraction"] == pytest.approx(len(pixels) / (shape[0] * shape[1]))
        assert row["components"] == _components(pixels)
        shares = [float(scores[place]) for place in pixels]
        assert row["score"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)
        assert row["entropy"] == pytest.approx(sum(map(_binary_entropy, shares)) / len(shares), abs=1e-6)


def _binary_entropy(p: float) -> float:
    return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)


def _components(pixels: set[tuple[int, int]]) -> int:
    left, count = set(pixels), 0
    while left:
        count, edge = count + 1, [left.pop()]
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge += near
    return count


@pytest.mark.parametrize(("score", "bits"), [(0.0, 0.0), (0.5, 1.0), (0.75, 0.811278), (1.0, 0.0)])
def test_entropy_is_in_bits(score: float, bits: float) -> None:
    (row,) = mask_rows(_map(np.ones((3, 4), np.uint16), score), min_area=1)
    assert row["entropy"] == pytest.approx(bits, abs=1e-5)


def test_a_confidence_beyond_the_range_counts_as_its_end() -> None:
    beyond = np.array([-0.5, -np.inf, 1.5, np.inf], np.float16)
    assert pixel_entropy(beyond).tolist() == [0, 0, 0, 0]
    assert np.isnan(pixel_entropy(np.array([np.nan], np.float16))).all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on numpy 2
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 9))
def test_foreign_encodings_are_read_as_pycocotools_reads_them(runs: list[int], height: int) -> None:
    """Also where they are not canonical, with runs of no length; then both write the same canonical bytes."""
    runs.append(-sum(runs) % height or height)
    width = sum(runs) // height
    foreign = coco_mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    theirs = coco_mask.decode(foreign)
    ours = decode_mask(foreign["counts"], height, width)
    assert np.array_equal(ours, theirs.astype(bool))
    assert np.array_equal(decode_runs(np.array(runs), height, width), ours)
    canonical = coco_mask.encode(np.asfortranarray(theirs))["counts"]
    assert encode_mask(ours) == canonical
    assert encode_mask(decode_mask(canonical, height, width)) == canonical


@pytest.mark.parametrize("runs", [[3, 4], [13], [14, -2], [12, 2, -2]])
def test_runs_that_do_not_fill_a_mask_are_refused(runs: list[int]) -> None:
    with pytest.raises(CatalogError, match="do not fill 3 x 4"):
        decode_runs(np.array(runs), 3, 4)


def test_ids_with_one_name_are_one_label() -> None:
    labels = np.array([[1, 2, 3], [0, 4, 0]], np.uint16)
    rows = mask_rows(_map(labels, names=("background", "cat", "dog", "cat", "background")), min_area=1)
    assert [(row["label"], row["area"]) for row in rows] == [("cat", 2), ("dog", 1)]


@pytest.mark.parametrize("value", [0, IGNORE])
def test_a_map_without_labels_has_no_rows(value: int) -> None:
    assert mask_rows(_map(np.full((5, 4), value, np.uint16)), min_area=1) == []


def test_large_maps_are_encoded_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (20, 30)).astype(np.uint16)
    at_once = mask_rows(_map(labels), min_area=1)
    monkeypatch.setattr(rle, "_STACK_BYTES", 700)
    assert mask_rows(_map(labels), min_area=1) == at_once
