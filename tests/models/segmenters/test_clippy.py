"""CLIPpy against a derivation that computes one pixel at a time, in float64."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from clippy_reference import (
    HOUSES,
    SIZES,
    VOCABULARIES,
    Array,
    images,
    options_of,
    pooled,
    reference,
    text_rows,
    tokens_of,
    towers_of,
    unit,
)
from numpy.typing import NDArray
from tiny_clippy import checkpoint_tensors, write_t5, write_vit

from maskmill.models.clippy.grouping import group_similarity
from maskmill.models.encoders.weights import file_sha256
from maskmill.models.segmenters import clippy, create_segmenter
from maskmill.models.segmenters.clippy import CARD, Clippy
from maskmill.models.segmenters.clippy_options import Towers
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import ConfigError, WeightsError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("transformers", reason="sentence-T5 needs transformers, of the extra clippy")
    root = tmp_path_factory.mktemp("towers")
    return write_vit(root / "tiny_vit"), write_t5(root / "tiny_t5")


@pytest.fixture(scope="module")
def towers(folders: tuple[Path, Path]) -> dict[str, Towers]:
    return {mode: towers_of(folders, mode=mode) for mode in ("paper", "released")}


def _agree(found: LabelMap, labels: NDArray[np.uint16], scores: Array) -> None:
    """Labels may differ where two classes are equally likely but for rounding."""
    assert np.abs(found.scores.astype(np.float64) - scores).max() < 2e-3
    assert (found.labels != labels).mean() < 0.01


@pytest.mark.parametrize(
    "given", [{}, {"templates": "own"}, {"background": "each"}, {"mode": "released"}], ids=str
)
def test_maps_follow_the_definition(towers: dict[str, Towers], given: dict[str, Any]) -> None:
    options = options_of(**given)
    pair = towers[options.mode]
    found = Clippy(pair, options)(images(), VOCABULARIES)
    assert len(np.unique(found[0].labels)) > 1
    for place in (0, 2, 3):
        _agree(found[place], *reference(pair, images()[place], VOCABULARIES[place], options))


def test_two_hundred_classes_follow_the_definition(towers: dict[str, Towers]) -> None:
    options = options_of()
    (found,) = Clippy(towers["paper"], options)([images()[1]], [VOCABULARIES[1]])
    assert len(VOCABULARIES[1].classes) == 200
    _agree(found, *reference(towers["paper"], images()[1], VOCABULARIES[1], options))


def test_multiplying_first_equals_enlarging_all_channels_first(
    towers: dict[str, Towers], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, image = towers["paper"], images()[0]
    _, patches, grid = tokens_of(pair, image, (40, 40))
    features = F.normalize(torch.from_numpy(patches), dim=1).T.unflatten(1, grid)
    enlarged = F.interpolate(features[None], image.shape[:2], mode="bilinear")[0]
    texts = np.stack([vectors[0] for vectors in text_rows(pair, HOUSES, options_of())])
    shares = (20.0 * torch.einsum("ce,ehw->chw", torch.from_numpy(texts), enlarged)).softmax(0)
    for limit in (4_000_000, 60):
        monkeypatch.setattr(clippy, "_MAP_VALUES", limit)
        (found,) = Clippy(pair, options_of())([image], [HOUSES])
        _agree(found, shares.argmax(0).numpy().astype(np.uint16), shares.amax(0).numpy())


def test_one_class_is_everywhere(towers: dict[str, Towers]) -> None:
    (found,) = Clippy(towers["released"], options_of(mode="released"))([images()[0]], [Vocabulary.of([])])
    assert not found.labels.any()
    assert (found.scores == 1).all()


@pytest.mark.parametrize("background", ["mean", "each"])
def test_without_a_background_class_0_is_never_answered(towers: dict[str, Towers], background: str) -> None:
    background_last = HOUSES.model_copy(update={"classes": HOUSES.classes[1:] + HOUSES.classes[:1]})
    only = background_last.model_copy(update={"has_background": False})
    segmenter = Clippy(towers["paper"], options_of(background=background))
    (asked,), (found,) = segmenter([images()[0]], [background_last]), segmenter([images()[0]], [only])
    assert (asked.labels == 0).any()
    assert (found.labels > 0).all()
    elsewhere = asked.labels > 0
    assert np.array_equal(asked.labels[elsewhere], found.labels[elsewhere])
    maps = segmenter.heat_maps(images()[0], only)["patches"]
    assert np.isfinite(maps).all()
    assert (maps.argmax(0) > 0).all()


def test_a_short_side_keeps_the_ratio_in_whole_cells(towers: dict[str, Towers]) -> None:
    options, image = options_of(shape="short_side"), np.zeros((20, 31, 3), np.uint8)
    segmenter = Clippy(towers["paper"], options)
    assert segmenter.heat_maps(image, HOUSES)["patches"].shape == (4, 5, 8)
    assert Clippy(towers["paper"], options_of()).heat_maps(image, HOUSES)["patches"].shape == (4, 5, 5)
    (found,) = segmenter([image], [HOUSES])
    assert found.labels.shape == (20, 31)


@pytest.mark.parametrize("how", ["max", "max_all", "average", "cls", "tsp", "wmp"])
def test_image_scores_are_cosines_of_what_was_pooled(towers: dict[str, Towers], how: str) -> None:
    options = options_of(pooling=how, temperature=0.7, batch_images=2)
    pair = towers["paper"]
    found = Clippy(pair, options).image_scores(images(), HOUSES).numpy()
    assert found.shape == (4, 4)
    rows = text_rows(pair, HOUSES, options)
    for place, image in enumerate(images()):
        prefix, patches, _ = tokens_of(pair, image, (40, 40))
        expected = [unit(pooled(how, prefix, patches, (t,)[0], 0.7)) @ t for (t,) in rows]
        assert np.allclose(found[place], expected, atol=1e-5)


def test_released_image_scores_pool_cls_too_and_average_the_background(towers: dict[str, Towers]) -> None:
    released = Clippy(towers["released"], options_of(mode="released"))
    options = {"mode": "released", "background": "mean"}
    one = Clippy(towers["released"], options_of(**options, pooling="max_all"))
    two = Clippy(towers["released"], options_of(**options, pooling="max"))
    scores = released.image_scores(images()[:1], HOUSES)
    assert torch.equal(scores, one.image_scores(images()[:1], HOUSES))
    assert not torch.allclose(scores, two.image_scores(images()[:1], HOUSES))
    assert released.image_scores([], HOUSES).shape == (0, 4)


@pytest.mark.parametrize("centred", [True, False])
def test_groups_are_sampled_like_classes(towers: dict[str, Towers], centred: bool) -> None:
    image = images()[0]
    found = Clippy(towers["paper"], options_of(groups=5, centred_groups=centred)).groups(image)
    _, patches, grid = tokens_of(towers["paper"], image, (40, 40))
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
    assert segmenter([images()[0]], [HOUSES])[0].labels.shape == SIZES[0]
    assert isinstance(segmenter, Clippy)
    assert segmenter._scale == pytest.approx(math.exp(3))


def test_a_checkpoints_logit_scale_is_at_most_100(folders: tuple[Path, Path], tmp_path: Path) -> None:
    tensors = {name: tensor.clone() for name, tensor in checkpoint_tensors(*folders).items()}
    tensors["logit_scale"] = torch.tensor(6.0)
    safetensors.torch.save_file(tensors, tmp_path / "sharp.safetensors")
    assert towers_of(folders, checkpoint=str(tmp_path / "sharp.safetensors")).logit_scale == 100


def test_released_mode_resamples_positions_as_dino_does(towers: dict[str, Towers]) -> None:
    seen = torch.rand(1, 3, 40, 40)
    learnt = {mode: towers[mode].image._model.pos_embed for mode in towers}  # type: ignore[attr-defined]
    assert torch.equal(learnt["paper"], learnt["released"])
    paper, released = (towers[mode].image.tokens(seen).patches for mode in ("paper", "released"))
    assert not torch.allclose(paper, released, atol=1e-4)
    assert (towers["paper"].image._dino, towers["released"].image._dino) == (False, True)  # type: ignore[attr-defined]


def test_towers_of_different_spaces_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    short = write_t5(tmp_path / "short_t5", dense=10)
    with pytest.raises(
        WeightsError, match=r"gives vectors of 24 values.*of 10: they were not trained together"
    ):
        Clippy(towers_of((folders[0], short)), options_of())


def test_unknown_templates_are_a_configuration_fault(towers: dict[str, Towers]) -> None:
    with pytest.raises(ConfigError, match="no templates"):
        Clippy(towers["paper"], options_of(templates="no_such_file"))
