from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import open_clip.pretrained
import pytest

from maskmill.models.encoders.checks import check_model, wants_quick_gelu
from maskmill.models.encoders.clip import load_clip
from maskmill.models.encoders.weights import ClipSource
from maskmill.schemas.errors import WeightsError

Folder = Callable[[str], Path]


@pytest.fixture
def folder(tmp_path: Path, tiny_clip_folder: Folder) -> Path:
    return Path(shutil.copytree(tiny_clip_folder("vit"), tmp_path / "mine"))


def _rewrite(folder: Path, part: str, changes: dict[str, Any]) -> None:
    """Change fields of a folder's configuration; None takes a field away."""
    file = folder / "open_clip_config.json"
    body = json.loads(file.read_text())
    merged = {**body.get(part, {}), **changes}
    body[part] = {key: value for key, value in merged.items() if value is not None}
    file.write_text(json.dumps(body))


def _source(model: str, tag: str) -> ClipSource:
    return ClipSource(f"{model}:{tag}", model, tag, Path("weights"))


@pytest.mark.parametrize(
    ("model", "tag", "quick"),
    [
        ("ViT-B-32", "openai", True),
        ("ViT-B-16", "openai", True),
        ("RN50", "openai", True),
        ("ViT-L-14-336", "openai", True),
        ("ViT-B-32-quickgelu", "openai", True),
        ("ViT-B-32", "laion2b_s34b_b79k", False),
    ],
)
def test_openais_weights_are_of_quick_gelu_whatever_the_model_is_called(
    model: str, tag: str, quick: bool
) -> None:
    assert wants_quick_gelu(_source(model, tag)) is quick


@pytest.mark.parametrize("quick", [False, True])
def test_a_folder_says_itself_which_activation_it_has(folder: Path, quick: bool) -> None:
    _rewrite(folder, "model_cfg", {"quick_gelu": quick})
    encoder = load_clip(str(folder), "cpu")
    gelus = {type(block.mlp.gelu).__name__ for block in encoder.visual.transformer.resblocks}
    assert gelus == {"QuickGELU" if quick else "GELU"}


def test_another_activation_than_the_weights_were_trained_with_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tower = {"image_size": 16, "layers": 1, "width": 8, "head_width": 8, "patch_size": 8}
    text = {"context_length": 8, "vocab_size": 50, "width": 8, "heads": 1, "layers": 1}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny", {"local": {"quick_gelu": False}})
    source = _source("Tiny", "local")
    check_model(open_clip.CLIP(4, tower, text), source)
    with pytest.raises(WeightsError, match=r"trained with plain GELU, but its image tower has QuickGELU"):
        check_model(open_clip.CLIP(4, tower, text, quick_gelu=True), source)
    resnet = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64}
    with pytest.raises(WeightsError, match=r"its text tower has QuickGELU"):
        check_model(open_clip.CLIP(4, resnet, text, quick_gelu=True), source)


@pytest.mark.parametrize("lacking", ["mean", "std"])
def test_a_folder_without_normalisation_is_an_error(folder: Path, lacking: str) -> None:
    _rewrite(folder, "preprocess_cfg", {lacking: None})
    with pytest.raises(WeightsError, match=f"no {lacking} of three channels"):
        load_clip(str(folder), "cpu")


def test_a_normalisation_of_one_channel_is_an_error(folder: Path) -> None:
    _rewrite(folder, "preprocess_cfg", {"mean": [0.5]})
    with pytest.raises(WeightsError, match="no mean of three channels"):
        load_clip(str(folder), "cpu")


@pytest.mark.parametrize("size", [32, [32, 32]])
def test_the_towers_own_input_size_may_be_said(folder: Path, size: object) -> None:
    _rewrite(folder, "preprocess_cfg", {"size": size})
    assert load_clip(str(folder), "cpu").image_size == 32


@pytest.mark.parametrize("size", [64, [32, 64]])
def test_another_input_size_than_the_towers_is_an_error(folder: Path, size: object) -> None:
    _rewrite(folder, "preprocess_cfg", {"size": size})
    with pytest.raises(WeightsError, match="belongs to other weights"):
        load_clip(str(folder), "cpu")
