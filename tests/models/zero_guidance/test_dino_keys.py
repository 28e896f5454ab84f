from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.zero_guidance.dino_keys import ClipKeys, DinoKeys
from maskmill.schemas.errors import WeightsError

CPU = torch.device("cpu")
ARCHITECTURE = "vit_tiny_patch16_224"
SIZES: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3}


def _write(folder: Path, sizes: dict[str, Any]) -> tuple[str, Any]:
    torch.manual_seed(0)
    model = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, **sizes).eval()
    pretrained = {"input_size": [3, 32, 32], "mean": [0.1, 0.2, 0.3], "std": [0.5] * 3, "num_classes": 0}
    body = {"architecture": ARCHITECTURE, "num_classes": 0, "model_args": sizes, "pretrained_cfg": pretrained}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(body))
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    return str(folder), model


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    return _write(tmp_path_factory.mktemp("timm") / "tiny_vit", SIZES)


def _image(height: int, width: int) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def _reference(model: Any, image: Tensor, stride: int, offset: float) -> Tensor:
    """Cut every patch by hand, embed it alone, and read the keys off the last block's qkv."""
    normalised = (image - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.5
    rows, columns = (1 + (side - 8) // stride for side in image.shape[1:])
    patches = [
        normalised[:, r * stride : r * stride + 8, c * stride : c * stride + 8]
        for r in range(rows)
        for c in range(columns)
    ]
    weight, bias = model.patch_embed.proj.weight, model.patch_embed.proj.bias
    embedded = torch.stack([(weight * patch).sum((1, 2, 3)) + bias for patch in patches])
    positions = model.pos_embed[0, 1:].T.reshape(1, 24, 4, 4)
    factors = ((rows + offset) / 4, (columns + offset) / 4)
    if (rows, columns) == (4, 4):
        factors = (1.0, 1.0)
    positions = F.interpolate(positions, scale_factor=factors, mode="bicubic", recompute_scale_factor=False)
    tokens = torch.cat([model.cls_token[0] + model.pos_embed[0, :1], embedded + positions.flatten(2)[0].T])
    for block in model.blocks[:-1]:
        tokens = block(tokens[None])[0]
    keys = model.blocks[-1].attn.qkv(model.blocks[-1].norm1(tokens))[1:, 24:48]
    return (keys / keys.norm(dim=1, keepdim=True)).T.reshape(24, rows, columns)


@pytest.mark.parametrize(("stride", "size"), [(2, (24, 30)), (4, (32, 45)), (8, (40, 32)), (8, (32, 32))])
@pytest.mark.parametrize("released", [False, True])
def test_keys_are_those_of_overlapping_patches(
    written: tuple[str, Any], stride: int, size: tuple[int, int], released: bool
) -> None:
    spec, model = written
    keys = DinoKeys(spec, CPU, stride, dino_positions=released).keys(_image(*size))
    with torch.no_grad():
        expected = _reference(model, _image(*size), stride, 0.1 if released else 0)
    assert keys.shape == expected.shape
    assert torch.allclose(keys, expected, atol=1e-5)


def test_stride_2_of_224_pixels_gives_109_rows(written: tuple[str, Any]) -> None:
    dino = DinoKeys(written[0], CPU, max_positions=10**6)
    assert dino.keys(_image(224, 16)).shape == (24, 109, 5)


def test_long_images_are_seen_at_a_wider_stride(written: tuple[str, Any]) -> None:
    image = _image(24, 200)
    assert DinoKeys(written[0], CPU, 2, max_positions=300).keys(image).shape == (24, 5, 49)
    assert DinoKeys(written[0], CPU, 2, max_positions=873).keys(image).shape == (24, 9, 97)


@pytest.mark.parametrize("size", [(1, 1), (3, 20)])
def test_an_image_below_a_patch_is_padded_to_one(written: tuple[str, Any], size: tuple[int, int]) -> None:
    keys = DinoKeys(written[0], CPU).keys(_image(*size))
    assert keys.shape[1] == 1
    assert torch.allclose(keys.norm(dim=0), torch.ones(keys.shape[1:]))


def test_register_tokens_are_refused(tmp_path: Path) -> None:
    spec, _ = _write(tmp_path / "registers", SIZES | {"reg_tokens": 2, "no_embed_class": True})
    with pytest.raises(WeightsError, match="leading tokens without a position"):
        DinoKeys(spec, CPU)


def test_a_clips_own_features_can_stand_in(
    tiny_clip_folder: Callable[[str], Path], tiny_vit: ClipEncoder
) -> None:
    source = ClipKeys(tiny_vit)
    keys = source.keys(_image(40, 32))
    assert keys.shape == (32, 5, 4)
    assert torch.allclose(keys.norm(dim=0), torch.ones(5, 4))
    assert tiny_vit.id in source.id
