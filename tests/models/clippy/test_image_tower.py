from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from tiny_clippy import ARCHITECTURE, MEAN, STD, VIT, checkpoint_tensors, write_vit

from maskmill.models.clippy.checkpoint import Checkpoint, read_checkpoint
from maskmill.models.clippy.image_tower import (
    TimmTower,
    TowerOptions,
    checkpoint_tower,
    load_timm_tower,
)
from maskmill.models.encoders.positions import interpolate_positions, offset_positions
from maskmill.models.encoders.weights import file_sha256
from maskmill.schemas.errors import WeightsError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(vit_folder: Path) -> Any:
    model = timm.create_model(ARCHITECTURE, num_classes=0, **VIT).eval()
    model.load_state_dict(safetensors.torch.load_file(vit_folder / "model.safetensors"))
    return model


@pytest.fixture(scope="module")
def checkpoint(vit_folder: Path, t5_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    tensors = checkpoint_tensors(vit_folder, t5_folder) | {"visual.head.proj.weight": torch.randn(6, 24)}
    safetensors.torch.save_file({n: t.clone() for n, t in tensors.items()}, path)
    return read_checkpoint(path)


def _tower(folder: Path, **options: Any) -> TimmTower:
    return load_timm_tower(str(folder), CPU, TowerOptions(**options))


def _normalised(images: torch.Tensor, mean: Any = MEAN, std: Any = STD) -> torch.Tensor:
    return (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def _images(*size: int) -> torch.Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))


def test_tokens_are_the_whole_models(vit_folder: Path, model: Any) -> None:
    tower, images = _tower(vit_folder), _images(32, 32)
    tokens = tower.tokens(images)
    with torch.no_grad():
        expected = model.forward_features(_normalised(images))
    torch.testing.assert_close(tokens.prefix, expected[:, :1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(tokens.patches, expected[:, 1:], atol=1e-4, rtol=1e-4)
    assert (tokens.grid, tower.cell, tower.dim) == ((4, 4), (8, 8), 24)
    assert tower.id == f"timm:tiny_vit@{file_sha256(vit_folder / 'model.safetensors')[:12]}"
    assert tower.project(tokens.patches) is tokens.patches


@pytest.mark.parametrize("dino", [False, True])
def test_another_size_gets_positions_of_its_own(vit_folder: Path, model: Any, dino: bool) -> None:
    images, resample = _images(40, 72), offset_positions if dino else interpolate_positions
    tokens = _tower(vit_folder, dino_positions=dino).tokens(images)
    with torch.no_grad():
        rows = model.patch_embed.proj(_normalised(images)).flatten(2).transpose(1, 2)
        states = torch.cat([model.cls_token.expand(2, -1, -1), rows], 1)
        states = states + resample(model.pos_embed[0], (4, 4), (5, 9))
        for block in model.blocks:
            states = block(states)
        expected = model.norm(states)
    assert tokens.grid == (5, 9)
    torch.testing.assert_close(tokens.patches, expected[:, 1:], atol=1e-4, rtol=1e-4)


def test_overlapping_patches_make_a_finer_grid_with_centred_cells(vit_folder: Path, model: Any) -> None:
    images = _images(32, 24)
    tower = _tower(vit_folder, stride=4)
    tokens = tower.tokens(images)
    assert (tokens.grid, tower.cell, tokens.patches.shape) == ((8, 6), (4, 4), (2, 48, 24))
    padded = F.pad(_normalised(images), (2, 2, 2, 2), mode="replicate")
    embedded, grid = tower._embed(padded)
    own = embedded[:, 1:] - tower._positions(grid)[1:]
    with torch.no_grad():
        # Cell (3, 2) has its centre at pixel (14, 10): its patch spans rows 10 to 17 and columns 6 to 13.
        expected = model.patch_embed.proj(_normalised(images)[:, :, 10:18, 6:14]).flatten(1)
    torch.testing.assert_close(own[:, 3 * 6 + 2], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("stride", [3, 16])
def test_a_stride_that_does_not_divide_patches_is_refused(vit_folder: Path, stride: int) -> None:
    with pytest.raises(WeightsError, match=f"8 pixels, which {stride} does not divide"):
        _tower(vit_folder, stride=stride)


@pytest.mark.parametrize("size", [(33, 32), (32, 20), (0, 8)])
def test_parts_of_cells_are_refused(vit_folder: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not whole cells of 8"):
        _tower(vit_folder).tokens(torch.zeros(1, 3, *size))


def test_a_transformer_without_a_class_token_is_refused(tmp_path: Path) -> None:
    folder = write_vit(tmp_path / "bare", class_token=False, global_pool="avg")
    with pytest.raises(WeightsError, match="no plain vision transformer with a class token"):
        _tower(folder)


def test_a_checkpoints_tower_projects_and_normalises_as_in_training(
    checkpoint: Checkpoint, vit_folder: Path, model: Any
) -> None:
    tower = checkpoint_tower(checkpoint, str(vit_folder), CPU, TowerOptions())
    images = _images(32, 32)
    with torch.no_grad():
        seen = _normalised(images, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
        expected = model.forward_features(seen)[:, 1:] @ checkpoint.projection["weight"].T
    found = tower.project(tower.tokens(images).patches)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert (tower.dim, tower.id) == (6, f"tiny@{checkpoint.sha256[:12]}")


def test_an_architecture_that_does_not_fit_is_a_weights_error(checkpoint: Checkpoint) -> None:
    with pytest.raises(WeightsError, match="no timm architecture 'no_such_vit'"):
        checkpoint_tower(checkpoint, "no_such_vit", CPU, TowerOptions())
    with pytest.raises(WeightsError, match=r"missing: blocks\.10\..*of another shape: cls_token"):
        checkpoint_tower(checkpoint, ARCHITECTURE, CPU, TowerOptions())
