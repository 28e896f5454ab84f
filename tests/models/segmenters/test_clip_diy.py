from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.objectness.found import NoObjectness
from maskmill.models.segmenters import clip_diy, create_segmenter
from maskmill.models.segmenters.clip_diy import ClipDiy
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions
from maskmill.models.segmenters.clip_diy_released import ClipDiyReleased
from maskmill.models.segmenters.tiles import TileGrid
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import ConfigError, WeightsError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.templates import load_templates, templates_or_own, with_templates
from maskmill.schemas.vocabulary import Vocabulary, load_vocabulary

CONFIG = ClipDiyOptions(short_side=64, patch_sizes=(48, 32, 20), crop_batch=32)
THREE = Vocabulary.of(["cat", "dog"])


class Brightness:
    """Objectness by the green channel, between 0.3 and 0.7 so that every class has a chance."""

    id = "brightness"
    weights = {"brightness": "none"}  # noqa: RUF012

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, image: Tensor) -> Tensor:
        self.sizes.append((image.shape[1], image.shape[2]))
        return 0.3 + 0.4 * image[1]


def _image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return noise over coarse blocks of colour."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (math.ceil(height / 16), math.ceil(width / 16), 3))
    image = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    return np.clip(image + rng.integers(-30, 30, image.shape), 0, 255).astype(np.uint8)


def _resized(image: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    return F.interpolate(image[None], size, mode=mode, align_corners=False, antialias=True)[0]


def _starts(length: int, patch: int) -> list[int]:
    count = math.ceil(length / patch)
    return [round(i * (length - patch) / (count - 1)) for i in range(count)] if count > 1 else [0]


def _reference(
    encoder: ClipEncoder, image: NDArray[np.uint8], vocabulary: Vocabulary, config: ClipDiyOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eq. 1-4 in double precision, loop by loop: the products of Eq. 4 (C, H, W) and their softmax."""
    x0 = torch.from_numpy(image).permute(2, 0, 1).double() / 255
    height, width = image.shape[:2]
    scale = min(config.short_side / min(height, width), 8 * config.short_side / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    x = _resized(x0, size, "bilinear")
    text = encoder.embed_text(vocabulary).double()
    m_clip = torch.zeros(len(text), height, width, dtype=torch.float64)
    for patch in config.patch_sizes:
        tops, lefts = _starts(size[0], patch), _starts(size[1], patch)
        tiles = [x[:, top : top + patch, left : left + patch] for top in tops for left in lefts]
        crops = torch.stack([_resized(tile, (32, 32), "bicubic").clamp(0, 1) for tile in tiles])
        vectors = encoder.embed_crops(crops.float()).double()
        rho = torch.zeros(len(text), len(tops), len(lefts), dtype=torch.float64)
        for t in range(len(text)):
            for r in range(len(tops)):
                for c in range(len(lefts)):
                    rho[t, r, c] = vectors[r * len(lefts) + c] @ text[t]
        upsampled = F.interpolate(rho[None], (height, width), mode="bilinear", align_corners=False)[0]
        m_clip += upsampled / len(config.patch_sizes)
    theta = 0.3 + 0.4 * (x0 if height <= size[0] else x)[1]
    theta = F.interpolate(theta[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]
    refined = m_clip.clone()
    for t in range(len(text)):
        refined[t] = m_clip[t] * ((1 - theta) if t == 0 else theta)
    exps = np.exp(config.confidence_scale * refined.numpy())
    return refined.numpy(), exps / exps.sum(axis=0)


def _assert_matches(result: LabelMap, reference: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    refined, softmax = reference
    ordered = np.sort(refined, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-5 if len(refined) > 1 else np.ones(refined.shape[1:], bool)
    assert clear.mean() > 0.95
    assert np.array_equal(result.labels[clear], refined.argmax(axis=0)[clear])
    assert np.allclose(result.scores, softmax.max(axis=0), atol=2e-3)


@pytest.mark.parametrize("size", [(37, 53), (64, 64), (33, 101), (91, 70), (200, 90), (1, 1), (2, 19)])
def test_maps_are_those_of_the_equations(tiny_clip: ClipEncoder, size: tuple[int, int]) -> None:
    image = _image(*size)
    (result,) = ClipDiy(tiny_clip, Brightness(), CONFIG)([image], [THREE])
    _assert_matches(result, _reference(tiny_clip, image, THREE, CONFIG))


def test_the_reference_sees_more_than_one_class(tiny_clip: ClipEncoder) -> None:
    """The comparisons above say something only if labels vary."""
    labels = ClipDiy(tiny_clip, Brightness(), CONFIG)([_image(91, 70)], [Vocabulary.of(_words(40))])[0].labels
    assert len(np.unique(labels)) >= 2


def _words(count: int) -> list[str]:
    return [f"{chr(97 + n % 26)}{chr(97 + n // 26)} thing" for n in range(count)]


@pytest.mark.parametrize("foreground", [0, 1, 199])
def test_vocabularies_of_any_length_are_taken(tiny_clip: ClipEncoder, foreground: int) -> None:
    vocabulary, image = Vocabulary.of(_words(foreground)), _image(25, 38)
    (result,) = ClipDiy(tiny_clip, Brightness(), CONFIG)([image], [vocabulary])
    refined, softmax = _reference(tiny_clip, image, vocabulary, CONFIG)
    best = np.take_along_axis(refined, result.labels[None].astype(np.int64), axis=0)[0]
    assert np.allclose(best, refined.max(axis=0), atol=2e-6)
    assert np.allclose(result.scores, softmax.max(axis=0), atol=2e-3)
    assert result.names == vocabulary.names


def test_images_of_several_sizes_and_vocabularies_go_together(tiny_clip: ClipEncoder) -> None:
    images = [_image(37, 53, 1), _image(91, 40, 2), _image(37, 53, 3), _image(5, 5, 4)]
    vocabularies = [THREE, Vocabulary.of(["tree"]), Vocabulary.of(_words(5)), Vocabulary.of([])]
    results = ClipDiy(tiny_clip, Brightness(), CONFIG)(images, vocabularies)
    for image, vocabulary, result in zip(images, vocabularies, results, strict=True):
        _assert_matches(result, _reference(tiny_clip, image, vocabulary, CONFIG))


def test_an_image_of_extreme_ratio_is_labelled(tiny_resnet: ClipEncoder) -> None:
    image = _image(4000, 30)
    (result,) = ClipDiy(tiny_resnet, Brightness(), CONFIG)([image], [THREE])
    assert result.labels.shape == (4000, 30)
    _assert_matches(result, _reference(tiny_resnet, image, THREE, CONFIG))


def test_crops_of_all_images_fill_the_encoders_batches(
    tiny_resnet: ClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    embed = tiny_resnet.embed_crops
    monkeypatch.setattr(tiny_resnet, "embed_crops", lambda crops: seen.append(len(crops)) or embed(crops))
    images = [_image(64, 64), _image(64, 96)]
    config = CONFIG.model_copy(update={"crop_batch": 10})
    segmenter = ClipDiy(tiny_resnet, Brightness(), config)
    batched = segmenter(images, [THREE, THREE])
    assert seen == [10, 10, 10, 10, 10, 4]  # of (4 + 4 + 16) + (4 + 6 + 20) crops
    whole = ClipDiy(tiny_resnet, Brightness(), CONFIG)(images, [THREE, THREE])
    for one, two in zip(batched, whole, strict=True):
        assert np.array_equal(one.labels, two.labels)


def test_without_objectness_the_label_is_the_argmax_of_m_clip(
    tiny_clip: ClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    label_rows = ClipDiy._label_rows

    def spy(self: ClipDiy, m_clip: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(m_clip.clone())
        return label_rows(self, m_clip, theta)

    monkeypatch.setattr(ClipDiy, "_label_rows", spy)
    (result,) = ClipDiy(tiny_clip, NoObjectness(), CONFIG)([_image(37, 53)], [Vocabulary.of(_words(20))])
    assert np.array_equal(result.labels, torch.cat(seen, dim=1).argmax(dim=0).numpy())


def test_labelling_in_bands_of_rows_changes_nothing(
    tiny_resnet: ClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, image = ClipDiy(tiny_resnet, Brightness(), CONFIG), _image(91, 70)
    (whole,) = segmenter([image], [THREE])
    monkeypatch.setattr(clip_diy, "_MAP_VALUES", 3 * 70 * 4)
    (banded,) = segmenter([image], [THREE])
    assert np.array_equal(whole.labels, banded.labels)
    assert np.allclose(whole.scores, banded.scores, atol=1e-3)


def test_the_confidence_scale_moves_scores_and_no_label(tiny_clip: ClipEncoder) -> None:
    image, words = _image(60, 80), Vocabulary.of(_words(6))
    low, high = (
        ClipDiy(tiny_clip, Brightness(), CONFIG.model_copy(update={"confidence_scale": scale}))(
            [image], [words]
        )[0]
        for scale in (1e-6, 400.0)
    )
    assert np.array_equal(low.labels, high.labels)
    assert np.allclose(low.scores, 1 / 7, atol=1e-3)
    assert (high.scores > low.scores).all()


def test_objectness_sees_a_large_image_at_the_working_size_only(tiny_resnet: ClipEncoder) -> None:
    objectness = Brightness()
    ClipDiy(tiny_resnet, objectness, CONFIG)([_image(200, 300), _image(40, 30)], [THREE, THREE])
    assert objectness.sizes == [(64, 96), (40, 30)]


def test_the_id_names_mode_encoder_and_objectness(tiny_resnet: ClipEncoder) -> None:
    segmenter = ClipDiy(tiny_resnet, Brightness(), CONFIG)
    assert segmenter.id == f"clip-diy-paper/{tiny_resnet.id}/brightness"
    assert segmenter.weights == {"clip": tiny_resnet.sha256, "brightness": "none"}


def test_faults_of_a_configuration_are_named(tiny_clip_folder: Callable[[str], Path]) -> None:
    clip = str(tiny_clip_folder("resnet"))
    with pytest.raises(WeightsError, match="no objectness head"):
        create_segmenter(SegmenterConfig(clip=clip, objectness="nothing", device="cpu"))
    with pytest.raises(WeightsError, match="no CLIP 'nothing'"):
        create_segmenter(SegmenterConfig(clip="nothing", objectness="none", device="cpu"))
    with pytest.raises(ConfigError, match="device 'warp'"):
        create_segmenter(SegmenterConfig(clip=clip, objectness="none", device="warp"))


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_templates_replace_those_of_the_vocabulary(tiny_resnet: ClipEncoder, mode: str) -> None:
    sizes = {"mode": mode, "short_side": 64, "square_side": 64, "patch_sizes": (48, 32)}
    words = Vocabulary.of(_words(12))
    given = words.model_copy(update={"templates": load_templates("85")})
    segmenter = ClipDiyReleased if mode == "released" else ClipDiy
    own, asked = (
        segmenter(
            tiny_resnet, NoObjectness(), ClipDiyOptions.model_validate({**sizes, "templates": templates})
        )
        for templates in ("own", "85")
    )
    (expected,), (result,) = own([_image(50, 60)], [given]), asked([_image(50, 60)], [words])
    assert np.array_equal(expected.scores, result.scores)
    assert not np.array_equal(own([_image(50, 60)], [words])[0].scores, result.scores)


def test_the_defaults_are_the_papers() -> None:
    options, config = ClipDiyOptions(), SegmenterConfig()
    assert (options.mode, options.short_side, options.patch_sizes) == ("paper", 448, (256, 128, 64))
    assert (options.stride_divisor, options.scale_weights) == (None, None)
    assert (config.clip, config.objectness) == ("ViT-B-32:laion2b_s34b_b79k", "bkg:vit_small_patch8_224.dino")
    grids = [TileGrid(448, 597, patch) for patch in options.patch_sizes]
    assert [(grid.rows, grid.columns) for grid in grids] == [(2, 3), (4, 5), (7, 10)]


@pytest.mark.parametrize("name", ["voc21:clip-diy", "coco_object:clip-diy"])
def test_classes_are_asked_for_by_one_word_in_one_template_with_a(name: str) -> None:
    """ "a photo of a aeroplane", and the background by its literal word, as the authors' code does."""
    asked = with_templates(load_vocabulary(name), templates_or_own(ClipDiyOptions().templates))
    assert asked.templates == ("a photo of a {}",)
    assert asked.classes[0].words == ("background",)
    assert {len(c.words) for c in asked.classes} == {1}
