"""Untrained CLIPs of a few thousand weights, in the two forms that open_clip builds itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import safetensors.torch
import torch

from maskmill.models.encoders.clip import ClipEncoder, load_clip

TOWERS: dict[str, dict[str, Any]] = {
    "resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
    "vit": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def tiny_model_config(tower: str) -> dict[str, Any]:
    return {"embed_dim": 12, "vision_cfg": TOWERS[tower], "text_cfg": TEXT}


def write_tiny_clip(folder: Path, tower: str) -> Path:
    """Write a random CLIP in open_clip's folder form, its residual branches not at their initial zero."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.CLIP(**tiny_model_config(tower))
        for name, parameter in model.named_parameters():
            if name.endswith("bn3.weight"):
                torch.nn.init.uniform_(parameter, 0.5, 1.5)
    body = {"model_cfg": tiny_model_config(tower), "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(body))
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a tiny CLIP with a ``resnet`` or ``vit`` tower; it is written once."""
    root = tmp_path_factory.mktemp("clip")

    def folder(tower: str) -> Path:
        path = root / tower
        return path if path.is_dir() else write_tiny_clip(path, tower)

    return folder


@pytest.fixture(scope="session", params=sorted(TOWERS))
def tower(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def tiny_clip(tower: str, tiny_clip_folder: Callable[[str], Path]) -> ClipEncoder:
    return load_clip(str(tiny_clip_folder(tower)), "cpu")


@pytest.fixture(scope="session")
def tiny_resnet(tiny_clip_folder: Callable[[str], Path]) -> ClipEncoder:
    return load_clip(str(tiny_clip_folder("resnet")), "cpu")


@pytest.fixture(scope="session")
def tiny_vit(tiny_clip_folder: Callable[[str], Path]) -> ClipEncoder:
    return load_clip(str(tiny_clip_folder("vit")), "cpu")
