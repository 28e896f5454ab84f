"""CLIPpy against a derivation that computes one pixel at a time, in float64."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tiny_clippy import checkpoint_tensors, write_t5, write_vit

from maskmill.models.clippy.grouping import group_similarity
from maskmill.models.encoders.weights import file_sha256
from maskmill.models.segmenters import clippy, create_segmenter
from maskmill.models.segmenters.clippy import CARD, Clippy
from maskmill.models.segmenters.clippy_options import ClippyOptions, Towers
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import ConfigError, WeightsError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

Array = NDArray[np.float64]
SIZES = [(14, 23), (21, 13), (1, 1), (14, 23)]
HOUSES = Vocabulary(
    name="houses",
    classes=(
        VocabularyClass(name="background", prompts=("sky", "tree", "a red thing")),
        VocabularyClass(name="house", synonyms=("red house",)),
        VocabularyClass(name="car"),
        VocabularyClass(name="cat", prompts=("cat", "cat", "dog")),
    ),
    templates=("photo of {}", "{}"),
)
VOCABULARIES = [HOUSES, Vocabulary.of([f"thing {n}" for n in range(199)]), Vocabulary.of([]), HOUSES]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("transformers", reason="sentence-T5 needs transformers, of the extra clippy")
    root = tmp_path_factory.mktemp("towers")
    return write_vit(root / "tiny_vit"), write_t5(root / "tiny_t5")


@pytest.fixture(scope="module")
def towers(folders: tuple[Path, Path]) -> dict[str, Towers]:
    return {mode: _towers(folders, mode=mode) for mode in ("paper", "released")}


def _options(**given: Any) -> ClippyOptions:
    return ClippyOptions(**{"size": 40, "logit_scale": 20.0, **given})


def _towers(folders: tuple[Path, Path], **given: Any) -> Towers:
    options = _options(image_tower=str(folders[0]), text_tower=str(folders[1]), **given)
    return Towers(SegmenterConfig(id="clippy", device="cpu"), options)


def _images() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


def _tokens(towers: Towers, image: NDArray[np.uint8], size: tuple[int, int]) -> tuple[Array, Array, Any]:
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    seen = F.interpolate(picture, size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    tokens = towers.image.tokens(seen)
    return tokens.prefix[0].double().numpy(), tokens.patches[0].double().numpy(), tokens.grid


def _unit(vector: Array) -> Array:
    return vector / np.sqrt((vector**2).sum())


def _prompts(word: str, vocabulary: Vocabulary, options: ClippyOptions) -> list[str]:
    if options.templates == "own":
        return [template.replace("{}", word) for template in vocabulary.templates]
    if options.mode == "released" and options.templates == "auto":
        return [f"a photo of {'an' if word[0] in 'aeiou' else 'a'} {word}"]
    return [word]


def _rows(towers: Towers, vocabulary: Vocabulary, options: ClippyOptions) -> list[list[Array]]:
    """Return for each class the vectors of which the best counts."""
    each = options.background == "each" or (options.background is None and options.mode == "released")
    rows: list[list[Array]] = []
    for number, named in enumerate(vocabulary.classes):
        per_word = [
            [p.double().numpy() for p in towers.text.embed_prompts(_prompts(word, vocabulary, options))]  # type: ignore[attr-defined]
            for word in named.words
        ]
        groups = per_word if number == 0 and each else [list(itertools.chain(*per_word))]
        rows.append([_unit(np.mean(group, axis=0)) for group in groups])
    return rows


def _taps(pixel: int, pixels: int, cells: int) -> list[tuple[int, float]]:
    place = min(max((pixel + 0.5) * cells / pixels - 0.5, 0.0), cells - 1.0)
    low = math.floor(place)
    return [(low, 1 - (place - low)), (min(low + 1, cells - 1), place - low)]


def _reference(
    towers: Towers, image: NDArray[np.uint8], vocabulary: Vocabulary, options: ClippyOptions
) -> tuple[NDArray[np.uint16], Array]:
    _, patches, grid = _tokens(towers, image, (40, 40))
    cells = [_unit(patch) for patch in patches]
    rows = _rows(towers, vocabulary, options)
    cosines = [[np.array([cell @ v for cell in cells]).reshape(grid) for v in vectors] for vectors in rows]
    labels, scores = np.zeros(image.shape[:2], np.uint16), np.zeros(image.shape[:2])
    for y, x in itertools.product(*map(range, image.shape[:2])):
        taps = list(itertools.product(_taps(y, image.shape[0], grid[0]), _taps(x, image.shape[1], grid[1])))
        best = [max(sum(a * b * m[r, c] for (r, a), (c, b) in taps) for m in maps) for maps in cosines]
        shares = np.exp(20.0 * np.array(best))
        labels[y, x], scores[y, x] = int(np.argmax(best)), shares.max() / shares.sum()
    return labels, scores


def _agree(found: LabelMap, labels: NDArray[np.uint16], scores: Array) -> None:
    """Labels may differ where two classes are equally likely but for rounding."""
    assert np.abs(found.scores.astype(np.float64) - scores).max() < 2e-3
    assert (found.labels != labels).mean() < 0.01


@pytest.mark.parametrize(
    "given", [{}, {"templates": "own"}, {"background": "each"}, {"mode": "released"}], ids=str
)
def test_maps_follow_the_definition(towers: dict[str, Towers], given: dict[str, Any]) -> None:
    options = _options(**given)
    pair = towers[options.mode]
    found = Clippy(pair, options)(_images(), VOCABULARIES)
    assert len(np.unique(found[0].labels)) > 1
    for place in (0, 2, 3):
        _agree(found[place], *_reference(pair, _images()[place], VOCABULARIES[place], options))


def test_two_hundred_classes_follow_the_definition(towers: dict[str, Towers]) -> None:
    options = _options()
    (found,) = Clippy(towers["paper"], options)([_images()[1]], [VOCABULARIES[1]])
    assert len(VOCABULARIES[1].classes) == 200
    _agree(found, *_reference(towers["paper"], _images()[1], VOCABULARIES[1], options))


def test_multiplying_first_equals_enlarging_all_channels_first(
    towers: dict[str, Towers], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, image = towers["paper"], _images()[0]
    _, patches, grid = _tokens(pair, image, (40, 40))
    features = F.normalize(torch.from_numpy(patches), dim=1).T.unflatten(1, grid)
    enlarged = F.interpolate(features[None], image.shape[:2], mode="bilinear")[0]
    texts = np.stack([vectors[0] for vectors in _rows(pair, HOUSES, _options())])
    shares = (20.0 * torch.einsum("ce,ehw->chw", torch.from_numpy(texts), enlarged)).softmax(0)
    for limit in (4_000_000, 60):
        monkeypatch.setattr(clippy, "_MAP_VALUES", limit)
        (found,) = Clippy(pair, _options())([image], [HOUSES])
        _agree(found, shares.argmax(0).numpy().astype(np.uint16), shares.amax(0).numpy())


def test_one_class_is_everywhere(towers: dict[str, Towers]) -> None:
    (found,) = Clippy(towers["released"], _options(mode="released"))([_images()[0]], [Vocabulary.of([])])
    assert not found.labels.any()
    assert (found.scores == 1).all()


@pytest.mark.parametrize("background", ["mean", "each"])
def test_without_a_background_class_0_is_never_answered(towers: dict[str, Towers], background: str) -> None:
    background_last = HOUSES.model_copy(update={"classes": HOUSES.classes[1:] + HOUSES.classes[:1]})
    only = background_last.model_copy(update={"has_background": False})
    segmenter = Clippy(towers["paper"], _options(background=background))
    (asked,), (found,) = segmenter([_images()[0]], [background_last]), segmenter([_images()[0]], [only])
    assert (asked.labels == 0).any()
    assert (found.labels > 0).all()
    elsewhere = asked.labels > 0
    assert np.array_equal(asked.labels[elsewhere], found.labels[elsewhere])
    maps = segmenter.heat_maps(_images()[0], only)["patches"]
    assert np.isfinite(maps).all()
    assert (maps.argmax(0) > 0).all()


def test_a_short_side_keeps_the_ratio_in_whole_cells(towers: dict[str, Towers]) -> None:
    options, image = _options(shape="short_side"), np.zeros((20, 31, 3), np.uint8)
    segmenter = Clippy(towers["paper"], options)
    assert segmenter.heat_maps(image, HOUSES)["patches"].shape == (4, 5, 8)
    assert Clippy(towers["paper"], _options()).heat_maps(image, HOUSES)["patches"].shape == (4, 5, 5)
    (found,) = segmenter([image], [HOUSES])
    assert found.labels.shape == (20, 31)


def _pooled(how: str, prefix: Array, patches: Array, text: Array, temperature: float) -> Array:
    if how == "tsp":
        weights = np.exp([_unit(p) @ text / temperature for p in patches])
        return sum(w * p for w, p in zip(weights, patches, strict=True)) / weights.sum()
    if how == "wmp":
        weights = np.exp(patches / temperature)
        return (weights * patches).sum(0) / weights.sum(0)
    tokens = {"cls": prefix, "max_all": np.concatenate([prefix, patches])}.get(how, patches)
    return tokens.max(0) if how.startswith("max") else tokens.mean(0)


@pytest.mark.parametrize("how", ["max", "max_all", "average", "cls", "tsp", "wmp"])
def test_image_scores_are_cosines_of_what_was_pooled(towers: dict[str, Towers], how: str) -> None:
    options = _options(pooling=how, temperature=0.7, batch_images=2)
    pair = towers["paper"]
    found = Clippy(pair, options).image_scores(_images(), HOUSES).numpy()
    assert found.shape == (4, 4)
    rows = _rows(pair, HOUSES, options)
    for place, image in enumerate(_images()):
        prefix, patches, _ = _tokens(pair, image, (40, 40))
        expected = [_unit(_pooled(how, prefix, patches, (t,)[0], 0.7)) @ t for (t,) in rows]
        assert np.allclose(found[place], expected, atol=1e-5)


def test_released_image_scores_pool_cls_too_and_average_the_background(towers: dict[str, Towers]) -> None:
    released = Clippy(towers["released"], _options(mode="released"))
    options = {"mode": "released", "background": "mean"}
    one = Clippy(towers["released"], _options(**options, pooling="max_all"))
    two = Clippy(towers["released"], _options(**options, pooling="max"))
    scores = released.image_scores(_images()[:1], HOUSES)
    assert torch.equal(scores, one.image_scores(_images()[:1], HOUSES))
    assert not torch.allclose(scores, two.image_scores(_images()[:1], HOUSES))
    assert released.image_scores([], HOUSES).shape == (0, 4)


@pytest.mark.parametrize("centred", [True, False])
def test_groups_are_sampled_like_classes(towers: dict[str, Towers], centred: bool) -> None:
    image = _images()[0]
    found = Clippy(towers["paper"], _options(groups=5, centred_groups=centred)).groups(image)
    _, patches, grid = _tokens(towers["paper"], image, (40, 40))
    values = group_similarity(torch.from_numpy(patches).T.unflatten(1, grid), 5, centred)
    expected = F.interpolate(values[None], image.shape[:2], mode="bilinear")[0].argmax(0).numpy()
    assert (found.shape, found.dtype) == (image.shape[:2], np.uint16)
    assert len(np.unique(found)) > 2
    assert (found != expected).mean() < 0.01


@pytest.mark.parametrize("layout", ["pt", "safetensors"])
@pytest.mark.parametrize("mode", ["paper", "released"])
def test_a_checkpoint_of_the_released_layout_makes_a_segmenter(
    folders: tuple[Path, Path], tmp_path: Path, mode: str, layout: str
) -> None:
    file, tensors = tmp_path / f"clippy_5k.{layout}", checkpoint_tensors(*folders)
    if layout == "pt":
        torch.save({"epoch": 1, "state_dict": {f"module.{n}": t for n, t in tensors.items()}}, file)
    else:
        safetensors.torch.save_file({n: t.clone() for n, t in tensors.items()}, file)
    options = {"mode": mode, "checkpoint": str(file), "size": 40}
    options |= {"image_tower": str(folders[0]), "text_tower": str(folders[1])}
    config = SegmenterConfig(id="clippy", device="cpu", options=options)
    segmenter = create_segmenter(config)
    assert segmenter.id == f"clippy-{mode}/clippy_5k@{file_sha256(file)[:12]}"
    assert segmenter.weights == CARD.files(config) == {"checkpoint": file_sha256(file)}
    assert segmenter([_images()[0]], [HOUSES])[0].labels.shape == SIZES[0]
    assert isinstance(segmenter, Clippy)
    assert segmenter._scale == pytest.approx(math.exp(3))


def test_towers_of_different_spaces_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    short = write_t5(tmp_path / "short_t5", dense=10)
    with pytest.raises(
        WeightsError, match=r"gives vectors of 24 values.*of 10: they were not trained together"
    ):
        Clippy(_towers((folders[0], short)), _options())


def test_unknown_templates_are_a_configuration_fault(towers: dict[str, Towers]) -> None:
    with pytest.raises(ConfigError, match="no templates"):
        Clippy(towers["paper"], _options(templates="no_such_file"))
