from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmill.models.encoders.clip import load_clip
from maskmill.models.objectness import load_objectness
from maskmill.models.objectness.heads import load_head
from maskmill.schemas.config import CorpusConfig, ObjectnessConfig
from maskmill.schemas.errors import ConfigError, CorpusError, WeightsError
from maskmill.tasks.train_objectness import train_objectness

CONFIG = ObjectnessConfig(
    backbone="clip", clip="demo", layer="layer3", images=6, iterations=6, batch=3, self_training_from=3
)


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(9):
        pixels = np.full((48, 64, 3), 120, np.uint8)
        pixels[8:40, 10 + number : 40] = rng.integers(0, 256, 3)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return CorpusConfig(uri=str(folder), format="folder", shard_size=4)


def test_a_trained_head_is_an_objectness(corpus: CorpusConfig, tmp_path: Path) -> None:
    out = tmp_path / "new" / "head.safetensors"
    summary = train_objectness(corpus, out, CONFIG)
    assert (summary.images + summary.skipped, summary.head) == (6, out)
    assert summary.sha256 == load_head(out).sha256
    record = json.loads((out.parent / "head.safetensors.json").read_text())
    assert (record["sha256"], record["config"]["layer"]) == (summary.sha256, "layer3")
    clip = load_clip("demo", "cpu")
    assert load_objectness(str(out), clip).id.startswith(f"found@{summary.sha256[:12]}/clip:")


def test_the_seed_draws_the_images_and_decides_the_head(corpus: CorpusConfig, tmp_path: Path) -> None:
    heads = [
        train_objectness(corpus, tmp_path / f"{n}.safetensors", CONFIG.model_copy(update={"seed": seed}))
        for n, seed in enumerate((0, 0, 1))
    ]
    assert heads[0].sha256 == heads[1].sha256 != heads[2].sha256


def test_faults_are_told_before_training(corpus: CorpusConfig, tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    with pytest.raises(ConfigError, match="safetensors"):
        train_objectness(corpus, tmp_path / "head.pt", CONFIG)
    with pytest.raises(ConfigError, match="no backbone 'dino'"):
        train_objectness(corpus, out, CONFIG.model_copy(update={"backbone": "dino"}))
    with pytest.raises(WeightsError, match="no layer 'layer9'"):
        train_objectness(corpus, out, CONFIG.model_copy(update={"layer": "layer9"}))
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(CorpusError, match="no image that can be read"):
        train_objectness(CorpusConfig(uri=str(empty), format="folder"), out, CONFIG)
