"""The released reading, step by step as the authors' code takes them, in loops and double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.exact_resize import opencv_bilinear
from maskmill.models.objectness.found import NoObjectness
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions
from maskmill.models.segmenters.clip_diy_released import ClipDiyReleased
from maskmill.models.segmenters.tiles import interpolation_matrix
from maskmill.schemas.vocabulary import Vocabulary

OPTIONS = ClipDiyOptions(mode="released", square_side=64, patch_sizes=(64, 32, 16), crop_batch=20)
WORDS = Vocabulary.of(["cat", "dog", "tree", "car"])


class Ramp:
    """Objectness that grows from left to right, nil on the left part."""

    id = "ramp"
    weights = {"ramp": "none"}  # noqa: RUF012

    def __init__(self, nil: float = 0.0) -> None:
        self.nil, self.sizes = nil, list[tuple[int, int]]()

    def __call__(self, image: Tensor) -> Tensor:
        self.sizes.append((image.shape[1], image.shape[2]))
        ramp = ((torch.linspace(0, 1, image.shape[2]) - self.nil) / (1 - self.nil)).clamp(0, 1)
        return ramp.expand(image.shape[-2:]).contiguous()


def _image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(1, height // 12), max(1, width // 12), 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))


def _stretch(grid: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Bilinear interpolation with align_corners False, pixel by pixel."""
    cells, out = grid.shape[0], np.zeros((side, side))
    for y in range(side):
        for x in range(side):
            v, u = (min(max((p + 0.5) * cells / side - 0.5, 0), cells - 1) for p in (y, x))
            top, left = int(v), int(u)
            bottom, right = min(top + 1, cells - 1), min(left + 1, cells - 1)
            upper = grid[top, left] * (1 - u + left) + grid[top, right] * (u - left)
            lower = grid[bottom, left] * (1 - u + left) + grid[bottom, right] * (u - left)
            out[y, x] = upper * (1 - v + top) + lower * (v - top)
    return out


def _reference(
    encoder: ClipEncoder, image: NDArray[np.uint8], vocabulary: Vocabulary, options: ClipDiyOptions
) -> NDArray[np.float64]:
    """Return the cosines of every pixel of the square, (C, S, S)."""
    side = options.square_side
    square = opencv_bilinear(torch.from_numpy(image.copy()).permute(2, 0, 1), (side, side))
    picture = Image.fromarray(square.permute(1, 2, 0).numpy())
    text = encoder.embed_text(vocabulary).double().numpy()
    total = np.zeros((len(text), side, side))
    for patch in options.patch_sizes:
        starts = list(range(0, side - patch + 1, patch // 2))
        grid = np.zeros((len(text), len(starts), len(starts)))
        for i, top in enumerate(starts):
            for j, left in enumerate(starts):
                crop = picture.crop((left, top, left + patch, top + patch))
                pixels = np.asarray(
                    crop.resize((encoder.image_size, encoder.image_size), Image.Resampling.BICUBIC)
                )
                tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
                grid[:, i, j] = text @ encoder.embed_crops(tensor)[0].double().numpy()
        for c in range(len(text)):
            total[c] += _stretch(grid[c], side) / len(options.patch_sizes)
    return total


def _labels(cosines: NDArray[np.float64], s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Background iff (1 - s) cos_bg >= s max cos_fg, else the largest cosine."""
    labels = np.zeros(s.shape, np.int64)
    for y in range(s.shape[0]):
        for x in range(s.shape[1]):
            best = 1 + int(cosines[1:, y, x].argmax())
            if (1 - s[y, x]) * cosines[0, y, x] < s[y, x] * cosines[best, y, x]:
                labels[y, x] = best
    return labels


@pytest.mark.parametrize("size", [(64, 64), (37, 53), (101, 33), (1, 1), (130, 200)])
def test_maps_are_those_of_the_authors_steps(tiny_clip: ClipEncoder, size: tuple[int, int]) -> None:
    image = _image(*size)
    segmenter = ClipDiyReleased(tiny_clip, Ramp(), OPTIONS)
    (square,) = segmenter.grid_maps([image], [WORDS])
    cosines = _reference(tiny_clip, image, WORDS, OPTIONS)
    ramp = Ramp()(torch.zeros(3, *size))[None, None]
    s = torch.nn.functional.interpolate(ramp, (64, 64), mode="bilinear")[0, 0].double().numpy()
    logits = np.concatenate([(1 - s)[None] * cosines[:1], s[None] * cosines[1:]])
    ordered = np.sort(logits, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-6
    assert clear.mean() > 0.9
    assert np.array_equal(square.labels[clear], _labels(cosines, s)[clear])
    exps = np.exp(OPTIONS.confidence_scale * logits)
    assert np.allclose(square.scores, (exps / exps.sum(0)).max(0), atol=2e-3)
    (whole,) = segmenter([image], [WORDS])
    rows, columns = ([place * 64 // side for place in range(side)] for side in size)
    assert np.array_equal(whole.labels, square.labels[rows][:, columns])


def test_published_sizes_make_59_crops(tiny_resnet: ClipEncoder) -> None:
    assert ClipDiyReleased(tiny_resnet, NoObjectness(), ClipDiyOptions(mode="released")).crops == 1 + 9 + 49


def test_without_objectness_background_competes_by_its_word(tiny_clip: ClipEncoder) -> None:
    image = _image(50, 70, 3)
    (square,) = ClipDiyReleased(tiny_clip, NoObjectness(), OPTIONS).grid_maps([image], [WORDS])
    cosines = _reference(tiny_clip, image, WORDS, OPTIONS)
    ordered = np.sort(cosines, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-6
    assert np.array_equal(square.labels[clear], cosines.argmax(axis=0)[clear])


def test_the_merge_of_all_scales_is_one_product(tiny_resnet: ClipEncoder) -> None:
    segmenter = ClipDiyReleased(tiny_resnet, NoObjectness(), OPTIONS)
    products = torch.randn(segmenter.crops, 3, generator=torch.Generator().manual_seed(0))
    merged, _ = segmenter._merged(products, torch.ones(segmenter.crops, dtype=torch.bool))
    expected = torch.zeros(3, 64, 64)
    for part in products.split([1, 9, 49]):
        cells = int(len(part) ** 0.5)
        grid = part.T.reshape(1, 3, cells, cells)
        expected += torch.nn.functional.interpolate(grid, (64, 64), mode="bilinear")[0] / 3
    assert torch.allclose(merged.T.reshape(3, 64, 64), expected, atol=1e-6)


def test_scale_weights_multiply_their_scales(tiny_resnet: ClipEncoder) -> None:
    weighed = OPTIONS.model_copy(update={"scale_weights": (1.0, 0.5, 2.0)})
    merge = ClipDiyReleased(tiny_resnet, NoObjectness(), weighed)._merge
    axis = interpolation_matrix(64, 3)
    assert torch.allclose(merge[:, 1:10], torch.kron(axis, axis) * 0.5 / 3)


def test_heat_maps_are_the_cosines_of_each_scale_and_what_is_labelled_by(tiny_resnet: ClipEncoder) -> None:
    image, segmenter = _image(50, 70, 3), ClipDiyReleased(tiny_resnet, Ramp(), OPTIONS)
    maps = segmenter.heat_maps(image, WORDS)
    assert [maps[f"{patch} px"].shape[1:] for patch in OPTIONS.patch_sizes] == [(1, 1), (3, 3), (7, 7)]
    (square,) = segmenter.grid_maps([image], [WORDS])
    assert np.array_equal(maps["refined"].argmax(axis=0), square.labels)
    cosines, s = _reference(tiny_resnet, image, WORDS, OPTIONS), maps["objectness"]
    refined = np.concatenate([(1 - s) * cosines[:1], s * cosines[1:]])
    assert np.allclose(maps["refined"], refined, atol=1e-5)


class Positive:
    """An encoder whose cosines are positive, as those of a trained CLIP are; it counts its crops."""

    def __init__(self, encoder: ClipEncoder, background: float = 0.3) -> None:
        self.id, self.sha256 = encoder.id, encoder.sha256
        self.image_size, self.device = encoder.image_size, encoder.device
        self.encoder, self.background, self.ran = encoder, background, 0

    def embed_crops(self, crops: Tensor) -> Tensor:
        self.ran += len(crops)
        vectors = self.encoder.embed_crops(crops).abs()
        vectors[:, 0] = self.background
        return torch.nn.functional.normalize(vectors, dim=1)

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        text = self.encoder.embed_text(vocabulary).abs()
        text[0] = 0
        text[0, 0] = 1
        return text


def test_skipped_crops_change_no_label(tiny_clip: ClipEncoder) -> None:
    images = [_image(64, 64, seed) for seed in range(4)]
    every, some = Positive(tiny_clip), Positive(tiny_clip)
    whole = ClipDiyReleased(every, Ramp(0.7), OPTIONS).grid_maps(images, [WORDS] * 4)
    skipping = OPTIONS.model_copy(update={"skip_below": 0.01})
    fewer = ClipDiyReleased(some, Ramp(0.7), skipping).grid_maps(images, [WORDS] * 4)
    assert every.ran == 4 * 59
    assert some.ran < 0.6 * every.ran
    for one, two in zip(whole, fewer, strict=True):
        assert len(np.unique(one.labels)) > 1
        assert np.array_equal(one.labels, two.labels)


def test_crops_are_run_after_all_where_the_background_would_not_win(tiny_clip: ClipEncoder) -> None:
    """A background whose cosine is negative loses even where objectness is nil."""
    images = [_image(64, 64, seed) for seed in range(2)]
    every, some = Positive(tiny_clip, -0.3), Positive(tiny_clip, -0.3)
    whole = ClipDiyReleased(every, Ramp(0.7), OPTIONS).grid_maps(images, [WORDS] * 2)
    skipping = OPTIONS.model_copy(update={"skip_below": 0.01})
    fewer = ClipDiyReleased(some, Ramp(0.7), skipping).grid_maps(images, [WORDS] * 2)
    assert some.ran > every.ran
    for one, two in zip(whole, fewer, strict=True):
        assert np.array_equal(one.labels, two.labels)


def test_objectness_sees_the_image_at_its_own_size_unless_it_is_huge(tiny_resnet: ClipEncoder) -> None:
    ramp = Ramp()
    options = OPTIONS.model_copy(update={"max_objectness_side": 300})
    ClipDiyReleased(tiny_resnet, ramp, options)([_image(200, 300), _image(100, 600)], [WORDS] * 2)
    assert ramp.sizes == [(200, 300), (50, 300)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "released", "square_side": 64},
        {"scale_weights": (1.0,)},
        {"scale_weights": (1.0, 0.0, 1.0)},
        {"stride_divisor": 0},
    ],
)
def test_options_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClipDiyOptions.model_validate(wrong)
