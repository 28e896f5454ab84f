"""MaskCLIP against a derivation that computes one pixel at a time, in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.encoders.dense_clip import DenseClip
from maskmill.models.segmenters import maskclip
from maskmill.models.segmenters.maskclip import MaskClip, MaskClipOptions, create_maskclip
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.templates import load_templates
from maskmill.schemas.vocabulary import Vocabulary

Array = NDArray[np.float64]
SIZES = [(14, 23), (21, 13), (1, 1), (14, 23)]
VOCABULARIES = [
    Vocabulary.of(["cat", "dog", "tree"]),
    Vocabulary.of([f"thing {n}" for n in range(200)]),
    Vocabulary.of(["cat"]),
    Vocabulary.of(["dog", "red house"]),
]


def _images(sizes: list[tuple[int, int]] = SIZES) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def _options(**given: Any) -> MaskClipOptions:
    return MaskClipOptions(**{"short_side": 40, "templates": "1", "logit_scale": 20.0, **given})


def _working(image: NDArray[np.uint8], options: MaskClipOptions) -> torch.Tensor:
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    scale = options.short_side / min(image.shape[:2])
    size = [int(side * scale + 0.5) for side in image.shape[:2]]
    smooth = options.mode == "paper"
    return F.interpolate(picture, size, mode="bilinear", align_corners=False, antialias=smooth)


def _refined(cosines: Array, keys: Array, options: MaskClipOptions) -> Array:
    """Return what is sampled, (C, n): scaled cosines, or probabilities."""
    scale, first = 20.0, int(options.background == "text")
    shares = np.exp(scale * cosines) / np.exp(scale * cosines).sum(axis=0)
    lost = [c for c in range(first, len(cosines)) if shares[c].max() < options.prompt_denoising]
    if len(lost) < len(cosines):
        cosines = np.where(np.isin(np.arange(len(cosines)), lost)[:, None], -100.0, cosines)
    if not options.key_smoothing and options.background != "threshold":
        return scale * cosines
    shares = np.exp(scale * cosines) / np.exp(scale * cosines).sum(axis=0)
    lengths = np.linalg.norm(keys, axis=0 if options.mode == "released" else 1, keepdims=True)
    pairs = (keys / lengths) @ (keys / lengths).T
    smoothed = shares.copy()
    for cell in range(shares.shape[1]):
        if shares[:, cell].max() < options.key_smoothing:
            smoothed[:, cell] = sum(pairs[cell, other] * shares[:, other] for other in range(shares.shape[1]))
    return smoothed


def _taps(pixel: int, pixels: int, cells: int, extent: float) -> list[tuple[int, float]]:
    place = min(max((pixel + 0.5) * extent / pixels - 0.5, 0.0), cells - 1.0)
    low = math.floor(place)
    return [(low, 1 - (place - low)), (min(low + 1, cells - 1), place - low)]


def _axis(
    pixel: int, pixels: int, resized: int, cells: int, stride: int, mode: str
) -> list[tuple[int, float]]:
    """Return cells and weights of one pixel of one axis."""
    if mode == "paper":
        return _taps(pixel, pixels, cells, resized / stride)
    return [
        (cell, outer * inner)
        for between, outer in _taps(pixel, pixels, resized, resized)
        for cell, inner in _taps(between, resized, cells, cells)
    ]


def _decide(values: Array, options: MaskClipOptions) -> tuple[int, float]:
    first = 0 if options.background == "text" else 1
    best = int(values.argmax())
    if options.key_smoothing or options.background == "threshold":
        positive = values.clip(min=0)
        score = float(positive[best] / positive.sum()) if positive.sum() > 0 else 0.0
        if options.background == "threshold" and score < options.threshold:
            return 0, 1 - score
        return best + first, score
    shares = np.exp(values - values.max())
    return best + first, float(1 / shares.sum())


def _reference(
    encoder: ClipEncoder, image: NDArray[np.uint8], vocabulary: Vocabulary, options: MaskClipOptions
) -> tuple[NDArray[np.uint16], Array]:
    dense, working = DenseClip(encoder, options.mode), _working(image, options)
    embedded = dense.embed(working)
    features, keys = embedded.features[0].double().numpy(), embedded.keys[0].double().numpy()
    first = 0 if options.background == "text" else 1
    texts = encoder.embed_text(vocabulary).double().numpy()[first:]
    cosines = np.array([[t @ f for f in features.reshape(len(features), -1).T] for t in texts])
    grid = features.shape[1:]
    values = _refined(cosines, keys, options).reshape(len(texts), *grid)
    labels, scores = np.zeros(image.shape[:2], np.uint16), np.zeros(image.shape[:2])
    for y, x in itertools.product(*map(range, image.shape[:2])):
        rows, columns = (
            _axis(pixel, image.shape[d], working.shape[2 + d], grid[d], dense.stride[d], options.mode)
            for d, pixel in enumerate((y, x))
        )
        sampled = sum(a * b * values[:, r, c] for (r, a), (c, b) in itertools.product(rows, columns))
        labels[y, x], scores[y, x] = _decide(np.asarray(sampled), options)
    return labels, scores


def _agree(found: LabelMap, labels: NDArray[np.uint16], scores: Array) -> None:
    """Labels may differ where two classes are equally likely but for rounding."""
    assert np.abs(found.scores.astype(np.float64) - scores).max() < 2e-3
    assert (found.labels != labels).mean() < 0.01


MODES = [
    {},
    {"background": "threshold", "threshold": 0.4},
    {"background": "none"},
    {"prompt_denoising": 0.45},
    {"key_smoothing": 0.5},
    {"key_smoothing": 1.0, "prompt_denoising": 0.4, "background": "threshold"},
]


@pytest.mark.parametrize("given", MODES, ids=str)
@pytest.mark.parametrize("mode", ["paper", "released"])
def test_maps_follow_the_equations(tiny_clip: ClipEncoder, mode: str, given: dict[str, Any]) -> None:
    options = _options(mode=mode, **given)
    images = _images()[:2]
    found = MaskClip(tiny_clip, options)(images, VOCABULARIES[:2])
    for image, vocabulary, one in zip(images, VOCABULARIES, found, strict=False):
        _agree(one, *_reference(tiny_clip, image, vocabulary, options))
        assert one.names == vocabulary.names


@pytest.mark.parametrize("given", MODES, ids=str)
def test_images_of_one_size_share_a_pass_and_change_nothing(
    tiny_clip: ClipEncoder, given: dict[str, Any]
) -> None:
    segmenter = MaskClip(tiny_clip, _options(**given))
    together = segmenter(_images(), VOCABULARIES)
    for image, vocabulary, expected in zip(_images(), VOCABULARIES, together, strict=True):
        (alone,) = segmenter([image], [vocabulary])
        assert np.array_equal(alone.labels, expected.labels)
        assert np.allclose(alone.scores, expected.scores, atol=2e-3)


def test_passes_are_of_one_size_and_no_larger_than_told(
    tiny_vit: ClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, seen = MaskClip(tiny_vit, _options(batch_images=2)), []
    embed = segmenter._dense.embed

    def note(images: torch.Tensor) -> Any:
        seen.append((len(images), images.shape[2] > images.shape[3]))
        return embed(images)

    monkeypatch.setattr(segmenter._dense, "embed", note)
    wide, tall = (14, 23), (23, 14)
    segmenter(_images([wide, tall, wide, wide, tall]), [VOCABULARIES[0]] * 5)
    assert seen == [(2, False), (1, False), (2, True)]


@pytest.mark.parametrize("background", ["text", "threshold", "none"])
def test_a_vocabulary_of_the_background_alone(tiny_vit: ClipEncoder, background: str) -> None:
    (found,) = MaskClip(tiny_vit, _options(background=background))(_images()[:1], [Vocabulary.of([])])
    assert not found.labels.any()
    assert (found.scores == 1).all()


def test_a_background_of_no_text_is_never_compared(tiny_vit: ClipEncoder) -> None:
    """Without a text class 0 only where no other class is sure enough; with `none` nowhere."""
    image, other = _images()[:1], Vocabulary.of(["cat", "dog", "tree"])
    renamed = other.model_copy(update={"classes": (Vocabulary.of(["x"]).classes[1], *other.classes[1:])})
    for background in ("threshold", "none"):
        segmenter = MaskClip(tiny_vit, _options(background=background, threshold=0.35))
        (one,), (two,) = segmenter(image, [other]), segmenter(image, [renamed])
        assert np.array_equal(one.labels, two.labels)
        assert (one.labels == 0).any() == (background == "threshold")


def test_bands_change_nothing(tiny_vit: ClipEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = MaskClip(tiny_vit, _options())
    (whole,) = segmenter(_images()[:1], VOCABULARIES[:1])
    monkeypatch.setattr(maskclip, "_MAP_VALUES", 1)
    (banded,) = segmenter(_images()[:1], VOCABULARIES[:1])
    assert np.array_equal(whole.labels, banded.labels)
    assert np.array_equal(whole.scores, banded.scores)


def test_the_papers_templates_replace_the_vocabularys_unless_told_otherwise(tiny_vit: ClipEncoder) -> None:
    image, given = _images()[:1], VOCABULARIES[0]
    for name in ("80", "85"):
        asked = given.model_copy(update={"templates": load_templates(name)})
        (found,) = MaskClip(tiny_vit, _options(templates=name))(image, [given])
        (expected,) = MaskClip(tiny_vit, _options(templates="own"))(image, [asked])
        assert np.array_equal(found.scores, expected.scores)
    assert MaskClipOptions().templates == "85"
    with pytest.raises(ConfigError, match="no templates"):
        MaskClip(tiny_vit, _options(templates="no-such"))


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_a_long_image_is_bounded(tiny_vit: ClipEncoder, mode: str) -> None:
    (found,) = MaskClip(tiny_vit, _options(mode=mode, short_side=16))(_images([(2, 900)]), VOCABULARIES[:1])
    assert found.labels.shape == (2, 900)


def test_the_released_sizes_are_at_most_four_to_one(
    tiny_vit: ClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, seen = MaskClip(tiny_vit, _options(mode="released", short_side=16)), []
    embed = segmenter._dense.embed
    monkeypatch.setattr(segmenter._dense, "embed", lambda x: seen.append(tuple(x.shape[2:])) or embed(x))
    segmenter(_images([(10, 100), (3, 5), (100, 10)]), [VOCABULARIES[0]] * 3)
    assert seen == [(6, 64), (16, 27), (64, 6)]


def test_the_weights_own_logit_scale_is_the_default(tiny_vit: ClipEncoder) -> None:
    image = _images()[:1]
    (own,) = MaskClip(tiny_vit, _options(logit_scale=None))(image, VOCABULARIES[:1])
    (given,) = MaskClip(tiny_vit, _options(logit_scale=tiny_vit.logit_scale))(image, VOCABULARIES[:1])
    (other,) = MaskClip(tiny_vit, _options(logit_scale=99.0))(image, VOCABULARIES[:1])
    assert np.array_equal(own.scores, given.scores)
    assert not np.array_equal(own.scores, other.scores)


def test_its_factory_reads_options_and_names_the_weights(tiny_clip_folder: Callable[[str], Path]) -> None:
    folder = str(tiny_clip_folder("vit"))
    options = {"mode": "released", "short_side": 16, "encoder": {"precision": "bfloat16"}}
    config = SegmenterConfig(id="maskclip", clip=folder, device="cpu", options=options)
    made = create_maskclip(config)
    assert made.id.startswith("maskclip-released/vit@")
    assert made.weights == maskclip.CARD.files(config)
    assert maskclip.CARD.modes == ("paper", "released")
    (found,) = made(_images()[:1], VOCABULARIES[:1])
    assert found.labels.shape == SIZES[0]


def test_a_misspelt_option_is_a_config_error(tiny_clip_folder: Callable[[str], Path]) -> None:
    config = SegmenterConfig(id="maskclip", clip=str(tiny_clip_folder("vit")), options={"short": 3})
    with pytest.raises(ConfigError, match=r"segmenter\.options\.short"):
        create_maskclip(config)


def test_the_defaults_are_the_papers_without_its_options() -> None:
    options = MaskClipOptions()
    assert (options.mode, options.short_side, options.templates) == ("paper", 512, "85")
    assert (options.key_smoothing, options.prompt_denoising, options.background) == (0, 0, "text")
