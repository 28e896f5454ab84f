from __future__ import annotations

from pathlib import Path

import pytest
import torch

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.objectness import loading
from maskmill.models.objectness.backbones import ClipBackbone
from maskmill.models.objectness.found import FoundBkg, FoundObjectness, NoObjectness
from maskmill.models.objectness.heads import FoundHead, save_head
from maskmill.models.objectness.loading import load_objectness
from maskmill.schemas.errors import WeightsError

IMAGE = torch.rand(3, 40, 52)


class FakeTimm:
    """Stands for DINO: 128 channels, like the tiny ResNet's layer3."""

    stride, dim = 8, 128

    def __init__(self, spec: str, device: torch.device) -> None:
        self.id = f"timm:{spec}"


@pytest.fixture
def fake_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "TimmBackbone", FakeTimm)


def _save(path: Path, dim: int = 128, **settings: str) -> str:
    save_head(FoundHead(torch.randn(dim), torch.tensor(0.0), settings), path)
    return str(path)


def test_none_needs_nothing(tiny_clip: ClipEncoder) -> None:
    assert isinstance(load_objectness("none", tiny_clip), NoObjectness)


def test_found_bkg_on_clips_own_features(tiny_clip: ClipEncoder) -> None:
    found = load_objectness("bkg:clip", tiny_clip)
    assert isinstance(found, FoundBkg)
    assert found.id == f"found-bkg/{ClipBackbone(tiny_clip).id}"
    assert found(IMAGE).shape == (40, 52)


@pytest.mark.usefixtures("fake_timm")
def test_found_bkg_on_a_timm_name(tiny_clip: ClipEncoder) -> None:
    assert load_objectness("bkg:vit_x:/a.pth", tiny_clip).id == "found-bkg/timm:vit_x:/a.pth"


def test_a_head_brings_its_backbone_layer_and_size(tiny_resnet: ClipEncoder, tmp_path: Path) -> None:
    settings = {"backbone": "clip", "layer": "layer2", "short_side": "24", "clip_sha256": tiny_resnet.sha256}
    found = load_objectness(_save(tmp_path / "h.safetensors", 64, **settings), tiny_resnet)
    assert isinstance(found, FoundObjectness)
    assert found.id.endswith(f"/clip:{tiny_resnet.id}:layer2")
    assert found(IMAGE).shape == (40, 52)


@pytest.mark.usefixtures("fake_timm")
@pytest.mark.parametrize(
    ("suffix", "backbone"),
    [("", "timm:vit_small_patch8_224.dino"), ("@vit_x", "timm:vit_x"), ("@clip", "clip:")],
)
def test_a_head_without_settings_sits_on_dino_or_what_is_named(
    tiny_resnet: ClipEncoder, tmp_path: Path, suffix: str, backbone: str
) -> None:
    state = {"decoder": torch.nn.Conv2d(128, 1, 1).state_dict()}
    torch.save(state, tmp_path / "decoder_weights.pt")
    found = load_objectness(f"{tmp_path / 'decoder_weights.pt'}{suffix}", tiny_resnet)
    assert f"/{backbone}" in found.id


def test_a_head_of_another_clip_is_refused(tiny_resnet: ClipEncoder, tmp_path: Path) -> None:
    spec = _save(tmp_path / "h.safetensors", backbone="clip", clip_sha256="f" * 64)
    with pytest.raises(WeightsError, match=r"trained on the CLIP with sha256 ffffffffffff\.\.\."):
        load_objectness(spec, tiny_resnet)


def test_a_head_of_another_dimension_is_refused(tiny_resnet: ClipEncoder, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="takes 5 channels"):
        load_objectness(_save(tmp_path / "h.safetensors", 5, backbone="clip"), tiny_resnet)


def test_a_head_on_an_unknown_kind_of_backbone_is_refused(tiny_resnet: ClipEncoder, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no backbone 'keras:x'"):
        load_objectness(_save(tmp_path / "h.safetensors", backbone="keras:x"), tiny_resnet)


@pytest.mark.parametrize("spec", ["", "some", "/no/such/head.safetensors", "bkgclip"])
def test_what_is_no_objectness_says_what_is(tiny_resnet: ClipEncoder, spec: str) -> None:
    with pytest.raises(WeightsError, match="no objectness head"):
        load_objectness(spec, tiny_resnet)
