from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import safetensors.torch
import torch

from maskmill.models.students.fresh import new_student
from maskmill.schemas.config import TrainConfig
from maskmill.schemas.errors import WeightsError


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained CLIP as a folder that open_clip can load."""
    torch.manual_seed(0)
    model_cfg = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    model = open_clip.CLIP(**model_cfg)
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    folder.mkdir()
    body = {"model_cfg": model_cfg, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
    (folder / "open_clip_config.json").write_text(json.dumps(body))
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def test_a_new_student_starts_on_the_encoders_trunk_and_colours(clip_folder: Path) -> None:
    config = TrainConfig(encoder=str(clip_folder), decoder_width=16, short_side=48)
    student = new_student(("background", "cat"), config)
    stored = safetensors.torch.load_file(clip_folder / "open_clip_model.safetensors")
    assert torch.equal(student.trunk.net.conv1.weight, stored["visual.conv1.weight"])
    assert student.spec.name == "tiny"
    assert student.spec.short_side == 48
    assert student.spec.mean == pytest.approx((0.1, 0.2, 0.3))
    assert student.spec.std == pytest.approx((0.4, 0.5, 0.6))


def test_the_decoder_follows_from_the_seed_and_other_randomness_is_left_alone(clip_folder: Path) -> None:
    config = TrainConfig(encoder=str(clip_folder))
    state = torch.get_rng_state()
    first, again = (new_student(("background", "cat"), config) for _ in range(2))
    other = new_student(("background", "cat"), config.model_copy(update={"seed": 1}))
    heads = [s.decoder.head[0].weight for s in (first, again, other)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_missing_encoder_is_an_error_of_the_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no CLIP"):
        new_student(("background", "cat"), TrainConfig(encoder=str(tmp_path / "nowhere")))
