from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from maskmill.models.clippy.wording import BARE, Wording
from maskmill.models.encoders.clip import load_clip
from maskmill.models.segmenters.clippy_options import ClippyOptions, Towers, weight_files
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import WeightsError
from maskmill.schemas.templates import load_templates


def test_the_two_readings_differ_in_pooling_prompts_and_background() -> None:
    paper, released = ClippyOptions(), ClippyOptions(mode="released")
    assert (paper.used_pooling, released.used_pooling) == ("max", "max_all")
    assert paper.wording == Wording(BARE, articles=False, each=False)
    assert released.wording == Wording(BARE, articles=True, each=True)
    assert ClippyOptions(mode="released", pooling="average", background="mean").wording.each is False


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_given_templates_are_used_in_either_reading(mode: str) -> None:
    options = {"mode": mode, "background": "mean"}
    assert ClippyOptions(**options, templates="80").wording == Wording(load_templates("80"))
    assert ClippyOptions(**options, templates="own").wording == Wording(None)
    assert ClippyOptions(**options, templates="bare").wording == Wording(BARE)


@pytest.mark.parametrize("tower", ["image_tower", "text_tower"])
def test_a_checkpoint_does_not_go_with_another_models_tower(tower: str) -> None:
    with pytest.raises(ValidationError, match="not CLIP's"):
        ClippyOptions(checkpoint="c.pt", **{tower: "clip"})


def test_clips_towers_are_loaded_once_and_named(
    tiny_clip_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    vit, resnet = str(tiny_clip_folder("vit")), str(tiny_clip_folder("resnet"))
    options = ClippyOptions(image_tower="clip", text_tower=f"clip:{vit}")
    same = SegmenterConfig(id="clippy", clip=vit, device="cpu", options=options.model_dump())
    other = same.model_copy(update={"clip": resnet})
    towers, encoder = Towers(same, options), load_clip(vit, "cpu")
    assert towers.text._texts._tower._model is towers.image._encoder.model  # type: ignore[attr-defined]
    assert (towers.id, towers.logit_scale) == (f"clip:{encoder.id}/{encoder.id}", encoder.logit_scale)
    assert towers.weights == weight_files(same) == {"image": encoder.sha256, "text": encoder.sha256}
    assert weight_files(other)["image"] == load_clip(resnet, "cpu").sha256 != encoder.sha256


def test_weights_of_a_hub_are_not_named_before_they_are_loaded(tmp_path: Path) -> None:
    assert weight_files(SegmenterConfig(id="clippy")) == {}
    missing = {"checkpoint": str(tmp_path / "no.pt")}
    with pytest.raises(WeightsError, match="cannot be read"):
        weight_files(SegmenterConfig(id="clippy", options=missing))


def test_the_defaults_are_the_papers() -> None:
    options = ClippyOptions()
    assert (options.image_tower, options.text_tower) == (
        "vit_base_patch16_224.dino",
        "sentence-transformers/sentence-t5-base",
    )
    assert (options.text_pooling, options.size, options.shape, options.stride) == (
        "average",
        224,
        "square",
        None,
    )
    assert (options.groups, options.centred_groups) == (8, False)
