"""What every registered segmenter keeps, on tiny random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskmill.models.segmenters import Segmenter, create_segmenter, registered
from maskmill.models.segmenters.base import HeatMapped
from maskmill.models.sliding import has_logits
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.vocabulary import Vocabulary

OPTIONS: dict[str, dict[str, Any]] = {
    "clip-diy": {"short_side": 48, "patch_sizes": [32, 20], "crop_batch": 16},
    "clip-diy released": {"mode": "released", "square_side": 48, "patch_sizes": [48, 24], "crop_batch": 16},
    "clippy": {"image_tower": "clip", "text_tower": "clip", "size": 64},
    "clippy released": {"mode": "released", "image_tower": "clip", "text_tower": "clip", "size": 64},
    "maskclip": {"short_side": 40},
    "maskclip released": {
        "mode": "released",
        "short_side": 40,
        "key_smoothing": 0.5,
        "prompt_denoising": 0.2,
    },
    "zero-guidance": {"backbone": "clip", "short_side": 48, "nouns": "demo", "assign": "vocabulary"},
}
CASES = sorted({*OPTIONS, *registered()})
SIZES = [(30, 45), (1, 1), (52, 31), (30, 45)]
VOCABULARIES = [
    Vocabulary.of(["cat", "dog", "tree"]),
    Vocabulary.of([]),
    Vocabulary.of(["tree"]),
    Vocabulary.of(["car", "boat", "cat", "dog", "house"]),
]


def _images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


@pytest.fixture(scope="module", params=CASES)
def segmenter(request: pytest.FixtureRequest, tiny_clip_folder: Callable[[str], Path]) -> Segmenter:
    return create_segmenter(_config(request.param, tiny_clip_folder))


def _config(case: str, tiny_clip_folder: Callable[[str], Path]) -> SegmenterConfig:
    clip, name = str(tiny_clip_folder("resnet")), case.partition(" ")[0]
    return SegmenterConfig(id=name, clip=clip, objectness="bkg:clip", device="cpu", options=OPTIONS[case])


def test_its_id_names_the_weights_that_it_reports(segmenter: Segmenter) -> None:
    assert segmenter.weights
    assert all(isinstance(v, str) and v for v in segmenter.weights.values())
    assert any(digest[:12] in segmenter.id for digest in segmenter.weights.values())


def test_maps_have_the_images_sizes_and_their_own_names(segmenter: Segmenter) -> None:
    maps = segmenter(_images(), VOCABULARIES)
    assert [m.labels.shape for m in maps] == SIZES
    assert [m.names for m in maps] == [v.names for v in VOCABULARIES]
    for label_map in maps:
        scores = label_map.scores.astype(np.float32)
        assert np.isfinite(scores).all()
        assert 0 <= scores.min() <= scores.max() <= 1


def test_a_batch_of_one_gives_what_a_batch_of_many_gives(segmenter: Segmenter) -> None:
    together = segmenter(_images(), VOCABULARIES)
    for image, vocabulary, expected in zip(_images(), VOCABULARIES, together, strict=True):
        (alone,) = segmenter([image], [vocabulary])
        assert np.array_equal(alone.labels, expected.labels)
        assert np.allclose(alone.scores, expected.scores, atol=2e-3)


def test_the_same_call_gives_the_same_maps_and_leaves_images_alone(segmenter: Segmenter) -> None:
    images = _images()
    one, two = segmenter(images, VOCABULARIES), segmenter(images, VOCABULARIES)
    for first, second in zip(one, two, strict=True):
        assert np.array_equal(first.labels, second.labels)
        assert np.array_equal(first.scores, second.scores)
    assert all(np.array_equal(a, b) for a, b in zip(images, _images(), strict=True))


def test_no_images_give_no_maps(segmenter: Segmenter) -> None:
    assert segmenter([], []) == []


def test_read_only_and_strided_images_are_taken(segmenter: Segmenter) -> None:
    image = _images()[0]
    mirrored = image[:, ::-1]
    frozen = np.ascontiguousarray(mirrored)
    frozen.setflags(write=False)
    one, two = segmenter([mirrored, frozen], [VOCABULARIES[0]] * 2)
    assert np.array_equal(one.labels, two.labels)


def test_one_vocabulary_for_each_image_is_required(segmenter: Segmenter) -> None:
    with pytest.raises(ValueError, match="4 images but 1 vocabularies"):
        segmenter(_images(), VOCABULARIES[:1])


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (3, 8, 8)])
def test_an_image_of_another_shape_is_refused(segmenter: Segmenter, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected an"):
        segmenter([np.zeros(shape, np.uint8)], VOCABULARIES[:1])


def test_an_image_of_another_type_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ValueError, match="float32"):
        segmenter([np.zeros((8, 8, 3), np.float32)], VOCABULARIES[:1])


def test_logits_where_offered_are_what_the_labels_follow_from(segmenter: Segmenter) -> None:
    if not has_logits(segmenter):
        assert segmenter.id.startswith(("clip-diy-released", "zero-guidance"))
        return
    image, vocabulary = _images()[2], VOCABULARIES[3]
    (label_map,) = segmenter([image], [vocabulary])
    (logits,) = segmenter.logits([image], [vocabulary])  # type: ignore[attr-defined]
    shares = torch.as_tensor(logits).double().softmax(dim=0).numpy()
    assert shares.shape == (len(vocabulary.classes), *image.shape[:2])
    ordered = np.sort(shares, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-3
    assert clear.any()
    assert np.array_equal(shares.argmax(axis=0)[clear], label_map.labels[clear])
    assert np.allclose(shares.max(axis=0), label_map.scores, atol=5e-3)


def test_heat_maps_where_offered_have_a_map_for_every_class(segmenter: Segmenter) -> None:
    if not isinstance(segmenter, HeatMapped):
        assert segmenter.id.startswith("zero-guidance")
        return
    maps = segmenter.heat_maps(_images()[0], VOCABULARIES[0])
    for what, values in maps.items():
        assert values.dtype == np.float32
        assert len(values) == (1 if what == "objectness" else 4)
        assert np.isfinite(values).all()


def test_a_very_long_image_is_labelled(segmenter: Segmenter) -> None:
    image = np.random.default_rng(1).integers(0, 256, (24, 4000, 3), np.uint8)
    (label_map,) = segmenter([image], [VOCABULARIES[0]])
    assert label_map.labels.shape == (24, 4000)


@pytest.mark.gpu
def test_a_gpu_agrees_with_the_cpu(
    request: pytest.FixtureRequest, segmenter: Segmenter, tiny_clip_folder: Callable[[str], Path]
) -> None:
    case = request.node.callspec.params["segmenter"]
    fast = create_segmenter(_config(case, tiny_clip_folder).model_copy(update={"device": "cuda"}))
    for one, two in zip(segmenter(_images(), VOCABULARIES), fast(_images(), VOCABULARIES), strict=True):
        assert (one.labels == two.labels).mean() > 0.99
        assert np.allclose(one.scores, two.scores, atol=0.02)
