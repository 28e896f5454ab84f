from __future__ import annotations

import json
import os
from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors.torch
import torch

from maskmill.models.encoders.weights import file_sha256
from maskmill.models.objectness.heads import FoundHead, load_head, save_head
from maskmill.schemas.errors import WeightsError

SETTINGS = {"backbone": "clip", "layer": "layer2", "short_side": "160"}


def test_a_saved_head_comes_back_with_its_settings_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_head(FoundHead(torch.arange(5.0), torch.tensor(0.5), SETTINGS), path)
    head = load_head(path)
    assert torch.equal(head.weight, torch.arange(5.0))
    assert float(head.bias) == 0.5
    assert head.settings == SETTINGS
    assert head.short_side == 160
    assert head.sha256 == file_sha256(path)


def test_the_same_head_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_head(FoundHead(torch.arange(5.0), torch.tensor(0.5), dict(SETTINGS)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("nested", [True, False])
def test_the_authors_state_dict_is_read(tmp_path: Path, nested: bool) -> None:
    convolution = torch.nn.Conv2d(7, 1, 1)
    state = convolution.state_dict()
    torch.save({"decoder": OrderedDict(state)} if nested else state, tmp_path / "decoder_weights.pt")
    head = load_head(tmp_path / "decoder_weights.pt")
    features = torch.randn(2, 7, 3, 4)
    torch.testing.assert_close(head.logits(features), convolution(features)[:, 0].detach())
    assert head.settings == {}
    assert head.short_side is None


def test_a_missing_head_says_what_could_be_given(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'none', 'demo'"):
        load_head(tmp_path / "nothing.pt")


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": torch.zeros(5)},
        {"bias": torch.zeros(1)},
        {"weight": torch.zeros(5, 2), "bias": torch.zeros(1)},
        {"weight": torch.zeros(5), "bias": torch.zeros(2)},
        {"other": torch.zeros(5)},
    ],
)
def test_tensors_of_another_shape_are_no_head(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    safetensors.torch.save_file(tensors, tmp_path / "h.safetensors")
    with pytest.raises(WeightsError, match="is no objectness head"):
        load_head(tmp_path / "h.safetensors")


@pytest.mark.parametrize("body", [[1, 2], {"decoder": 5}, {"weight": 3}])
def test_a_torch_file_of_another_form_is_no_head(tmp_path: Path, body: object) -> None:
    torch.save(body, tmp_path / "h.pt")
    with pytest.raises(WeightsError, match="is no objectness head"):
        load_head(tmp_path / "h.pt")


def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Path("code")}, tmp_path / "h.pt")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_head(tmp_path / "h.pt")


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_damaged_file_is_a_weights_error(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"h.{suffix}").write_bytes(b"not a head")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_head(tmp_path / f"h.{suffix}")


@pytest.mark.parametrize("side", ["0", "-3", "wide", "1.5"])
def test_a_short_side_that_is_no_size_is_a_weights_error(tmp_path: Path, side: str) -> None:
    path = tmp_path / "h.safetensors"
    save_head(FoundHead(torch.zeros(3), torch.tensor(0.0), {"short_side": side}), path)
    with pytest.raises(WeightsError, match="short side"):
        load_head(path)


def test_a_head_is_held_against_the_checksum_beside_it(tmp_path: Path) -> None:
    save_head(FoundHead(torch.zeros(3), torch.tensor(0.0)), tmp_path / "head.safetensors")
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": {"head.safetensors": "0" * 64}}))
    with pytest.raises(WeightsError, match="pins"):
        load_head(tmp_path / "head.safetensors")


@pytest.mark.realdata
def test_the_authors_own_head_is_read() -> None:
    default = Path(__file__).parents[3] / "../shared/data"
    file = Path(os.environ.get("MASKMILL_REALDATA", default)) / "weights/found/decoder_weights.pt"
    if not file.is_file():
        pytest.skip(f"no head at {file}; set MASKMILL_REALDATA")
    head = load_head(file)
    assert (head.weight.shape, head.bias.shape, head.short_side) == ((384,), (), None)
    assert float(head.weight.abs().min()) > 0
