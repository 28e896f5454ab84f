from __future__ import annotations

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_clippy import checkpoint_tensors
from torch import nn

from maskmill.models.clippy.checkpoint import fill, linear, read_checkpoint, read_tensors
from maskmill.models.encoders.weights import file_sha256
from maskmill.schemas.errors import WeightsError

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def tensors(vit_folder: Path, t5_folder: Path) -> Tensors:
    return checkpoint_tensors(vit_folder, t5_folder)


def _write(tensors: Tensors, path: Path) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({name: t.clone() for name, t in tensors.items()}, path)
    else:
        named = {f"module.{name}": tensor for name, tensor in tensors.items()}
        torch.save({"epoch": 3, "state_dict": named, "optimizer": {"state": {}}}, path)
    return path


@pytest.mark.parametrize("name", ["clippy_5k.pt", "clippy.safetensors"])
def test_the_released_layout_is_read_in_parts(tensors: Tensors, tmp_path: Path, name: str) -> None:
    path = _write(tensors, tmp_path / name)
    found = read_checkpoint(path)
    assert torch.equal(found.trunk["cls_token"], tensors["visual.trunk.cls_token"])
    assert torch.equal(found.dense["weight"], tensors["text.2.linear.weight"])
    assert "encoder.final_layer_norm.weight" in found.text
    assert dict(found.projection) == {}
    assert found.sha256 == file_sha256(path)
    assert found.logit_scale == pytest.approx(20.0855, abs=1e-3)


def test_a_projection_of_images_is_kept(tensors: Tensors, tmp_path: Path) -> None:
    more = tensors | {"visual.head.proj.weight": torch.randn(12, 24)}
    found = read_checkpoint(_write(more, tmp_path / "c.pt"))
    layer = linear(found.projection, found.path, "a projection")
    tokens = torch.randn(2, 24)
    assert torch.allclose(layer(tokens), tokens @ more["visual.head.proj.weight"].T)


def test_no_weights_are_no_layer() -> None:
    assert isinstance(linear({}, Path("c.pt"), "a projection"), nn.Identity)


@pytest.mark.parametrize(
    ("lost", "added", "expected"),
    [
        ("visual.trunk.", "", r"1 missing: visual\.trunk\.\*"),
        ("text.", "", r"1 missing: text\.0\.auto_model\.\*"),
        ("logit_scale", "", "1 missing: logit_scale"),
        ("nothing", "visual.conv1.weight", r"1 unexpected: visual\.conv1\.weight"),
        ("visual.", "transformer.weight", r"1 missing.*1 unexpected: transformer\.weight"),
    ],
)
def test_another_layout_is_refused_with_the_names_that_do_not_fit(
    tensors: Tensors, tmp_path: Path, lost: str, added: str, expected: str
) -> None:
    changed = {name: t for name, t in tensors.items() if not name.startswith(lost)}
    if added:
        changed[added] = torch.zeros(1)
    with pytest.raises(WeightsError, match=expected):
        read_checkpoint(_write(changed, tmp_path / "c.pt"))


def test_weights_of_another_size_are_listed() -> None:
    layer = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    given = {"0.weight": torch.zeros(3, 9), "1.weight": torch.zeros(4, 3), "2.bias": torch.zeros(1)}
    with pytest.raises(WeightsError) as caught:
        fill(layer, given, Path("c.pt"), "a small net")
    text = str(caught.value)
    assert "'c.pt' does not fit a small net" in text
    assert "2 missing: 0.bias, 1.bias" in text
    assert "1 unexpected: 2.bias" in text
    assert "0.weight (3, 9) instead of (3, 2)" in text


def test_long_lists_are_cut() -> None:
    layer = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    with pytest.raises(WeightsError, match=r"20 missing: .* and 14 more"):
        fill(layer, {}, Path("c.pt"), "a net")


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"state_dict": {"x": Evil()}}, tmp_path / "c.pt")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["c.pt", "c.safetensors"])
def test_a_damaged_or_missing_file_is_a_weights_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / name)
    (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_tensors(tmp_path / name)
