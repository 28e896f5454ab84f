"""The stage that makes the shipped weights, and the shipped weights themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from maskmill.models.clip_training import ClipTrainingConfig
from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.encoders.weights import shipped_folder
from maskmill.models.objectness import load_objectness
from maskmill.models.objectness.training import FoundTrainingConfig
from maskmill.schemas.errors import ConfigError
from maskmill.tasks.demo_judge import cosine_levels, foreground_iou, zero_shot_accuracy
from maskmill.tasks.demo_pictures import draw_pictures, draw_scenes
from maskmill.tasks.demo_recipe import DemoWeightsConfig
from maskmill.tasks.demo_weights import CLIP_FILE, HEAD_FILE, make_demo_weights

_TINY = DemoWeightsConfig(
    pictures={"closeup": 12, "background": 4, "scene": 4},
    picture_side=64,
    batch_size=16,
    clip=ClipTrainingConfig(steps=2, warmup=1, bfloat16=False),
    head_scenes=2,
    head=FoundTrainingConfig(iterations=3, self_training_from=1, short_side=64),
    judged=4,
    workers=1,
)
_FRESH = 4321  # a seed that trained nothing


@pytest.fixture(scope="module")
def clip() -> ClipEncoder:
    return load_clip("demo", "cpu")


@pytest.mark.parametrize(("name", "file"), [("demo_clip", CLIP_FILE), ("demo_objectness", HEAD_FILE)])
def test_shipped_weights_have_the_checksum_of_their_manifest(name: str, file: str) -> None:
    folder = shipped_folder(name)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["sha256"] == {file: hashlib.sha256((folder / file).read_bytes()).hexdigest()}
    assert manifest["training"]["seed"] >= 1000
    assert manifest["measured"]


def test_shipped_clip_is_small(clip: ClipEncoder) -> None:
    assert (shipped_folder("demo_clip") / CLIP_FILE).stat().st_size <= 8_000_000
    assert clip.image_size == 64


def test_shipped_clip_names_fresh_closeups(clip: ClipEncoder) -> None:
    assert zero_shot_accuracy(clip, draw_pictures("closeup", 60, 112, _FRESH)) >= 0.85
    assert zero_shot_accuracy(clip, draw_pictures("background", 30, 112, _FRESH)) >= 0.85


def test_shipped_clip_has_positive_cosines_of_one_level(clip: ClipEncoder) -> None:
    pools = (draw_pictures(kind, 30, 112, _FRESH) for kind in ("closeup", "background"))
    levels = cosine_levels(clip, *pools)
    assert all(low > 0 and high < 0.6 for _, low, _, high, _ in levels.values())
    assert levels["thing, its name"][2] > levels["thing, another name"][3]
    assert levels["background, background"][2] > levels["background, a name"][3]


def test_shipped_head_finds_the_things_of_fresh_scenes(clip: ClipEncoder) -> None:
    assert foreground_iou(load_objectness("demo", clip), list(draw_scenes(6, _FRESH))) >= 0.6


def test_the_stage_writes_two_folders_that_load_together(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    manifests = make_demo_weights(_TINY, tmp_path)
    assert torch.get_num_threads() == threads
    assert [folder.name for folder in manifests] == ["demo_clip", "demo_objectness"]
    made = load_clip(str(tmp_path / "demo_clip"), "cpu")
    objectness = load_objectness(str(tmp_path / "demo_objectness" / HEAD_FILE), made)
    values = objectness(torch.rand(3, 70, 90))
    assert values.shape == (70, 90)
    assert float(values.min()) >= 0
    assert float(values.max()) <= 1
    assert not list(tmp_path.rglob("*.partial"))


def test_the_same_seed_gives_the_same_clip(tmp_path: Path) -> None:
    checksums = [
        make_demo_weights(_TINY, tmp_path / name)[tmp_path / name / "demo_clip"]["sha256"] for name in "ab"
    ]
    assert checksums[0] == checksums[1]


def test_an_out_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here already", "utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        make_demo_weights(_TINY, tmp_path / "file")
