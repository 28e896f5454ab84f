from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F

from maskmill.models.encoders.weights import file_sha256
from maskmill.models.objectness import timm_backbone
from maskmill.models.objectness.timm_backbone import TimmBackbone
from maskmill.schemas.errors import WeightsError

CPU = torch.device("cpu")
ARCHITECTURE = "vit_tiny_patch16_224"
SIZES: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3}


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, **SIZES).eval()


@pytest.fixture
def folder(tmp_path: Path, model: Any) -> Path:
    return _write(tmp_path / "tiny_vit", model, SIZES)


def _write(folder: Path, model: Any, sizes: dict[str, Any]) -> Path:
    """Write a tiny vision transformer as a timm model folder."""
    pretrained = {
        "input_size": [3, 32, 32],
        "mean": [0.1, 0.2, 0.3],
        "std": [0.5, 0.5, 0.5],
        "num_classes": 0,
    }
    body = {"architecture": ARCHITECTURE, "num_classes": 0, "model_args": sizes, "pretrained_cfg": pretrained}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(body))
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def _last_block(model: Any, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return keys (B, n, D) and CLS attention (B, heads, n) of the last block by hooks and loops."""
    seen = {}
    handle = model.blocks[-1].attn.qkv.register_forward_hook(lambda m, given, out: seen.update(qkv=out))
    with torch.no_grad():
        model(images)
    handle.remove()
    query, keys, _ = seen["qkv"].split(24, dim=-1)
    attention = torch.empty(len(images), 3, keys.shape[1])
    for head in range(3):
        part = slice(head * 8, head * 8 + 8)
        attention[:, head] = ((query[:, :1, part] @ keys[..., part].mT)[:, 0] / 8**0.5).softmax(-1)
    return keys[:, 1:], attention[..., 1:]


def test_features_are_the_last_blocks_keys_and_cls_attention(folder: Path, model: Any) -> None:
    backbone = TimmBackbone(str(folder), CPU)
    images = torch.rand(2, 3, 32, 32)
    dense = backbone(images)
    keys, attention = _last_block(model, (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.5)
    torch.testing.assert_close(dense.features.flatten(2), keys.mT, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(dense.attention.flatten(2), attention, atol=1e-6, rtol=1e-4)
    assert dense.per_head
    assert (backbone.stride, backbone.dim) == (8, 24)
    assert backbone.id == f"timm:tiny_vit@{file_sha256(folder / 'model.safetensors')[:12]}"


def test_images_are_padded_after_normalisation_and_positions_resampled_as_dino_does(
    folder: Path, model: Any
) -> None:
    """Against the block loop of DINO's code: zeros right and bottom, a grid 0.1 larger, keys as they are."""
    images = torch.rand(1, 3, 41, 70)
    padded = torch.zeros(1, 3, 48, 72)
    padded[..., :41, :70] = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.5
    square = model.pos_embed[:, 1:].reshape(1, 4, 4, 24).permute(0, 3, 1, 2)
    scales = ((6 + 0.1) / 4, (9 + 0.1) / 4)
    with torch.no_grad():
        positions = F.interpolate(square, scale_factor=scales, mode="bicubic").flatten(2).mT
        patches = model.patch_embed.proj(padded).flatten(2).mT + positions
        tokens = torch.cat([model.cls_token + model.pos_embed[:, :1], patches], dim=1)
        for block in model.blocks[:-1]:
            tokens = block(tokens)
        keys = model.blocks[-1].attn.qkv(model.blocks[-1].norm1(tokens))[:, 1:, 24:48]
    dense = TimmBackbone(str(folder), CPU)(images)
    torch.testing.assert_close(dense.features, keys.mT.unflatten(2, (6, 9)), atol=1e-5, rtol=1e-4)
    assert dense.attention.shape == (1, 3, 6, 9)


@pytest.mark.parametrize("own_positions", [False, True])
def test_register_tokens_take_part_and_are_left_out(own_positions: bool, tmp_path: Path) -> None:
    sizes = {**SIZES, "reg_tokens": 2, "no_embed_class": not own_positions}
    torch.manual_seed(0)
    model = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, **sizes).eval()
    torch.nn.init.normal_(model.reg_token)
    images = torch.rand(2, 3, 32, 32)
    dense = TimmBackbone(str(_write(tmp_path / "tiny_vit", model, sizes)), CPU)(images)
    keys, attention = _last_block(model, (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.5)
    torch.testing.assert_close(dense.features.flatten(2), keys[:, 2:].mT, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(dense.attention.flatten(2), attention[..., 2:], atol=1e-6, rtol=1e-4)


def test_of_the_last_block_only_norm_and_qkv_are_run(folder: Path) -> None:
    backbone = TimmBackbone(str(folder), CPU)
    last, ran = backbone._model.blocks[-1], list[str]()
    for name, module in (*last.named_modules(), ("final norm", backbone._model.norm)):
        module.register_forward_hook(lambda module, given, out, name=name: ran.append(name))
    backbone(torch.rand(1, 3, 32, 32))
    assert {name for name in ran if "q_norm" not in name and "k_norm" not in name} == {"norm1", "attn.qkv"}


def test_a_checkpoint_file_of_a_named_model_is_loaded_and_hashed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0)
    file = tmp_path / "mine.pth"
    torch.save(made.state_dict(), file)
    backbone = TimmBackbone(f"vit_tiny_patch16_224:{file}", CPU)
    assert backbone.id == f"timm:vit_tiny_patch16_224@{file_sha256(file)[:12]}"
    assert torch.equal(backbone._model.cls_token, made.cls_token)


def test_a_model_without_a_download_is_a_weights_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(repository: str, name: str) -> str:
        raise FileNotFoundError(f"cannot reach {repository}/{name}")

    monkeypatch.setattr(timm_backbone, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=r"timm/vit_small_patch8_224\.dino/model\.safetensors.*go online"):
        TimmBackbone("vit_small_patch8_224.dino", CPU)


@pytest.mark.parametrize("spec", ["no_such_model", "vit_tiny_patch16_224:/no/such/file.pth", ""])
def test_unknown_models_and_files_are_weights_errors(spec: str) -> None:
    with pytest.raises(WeightsError, match="could not be loaded"):
        TimmBackbone(spec, CPU)


def test_a_damaged_file_is_a_weights_error(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(WeightsError, match="could not be loaded"):
        TimmBackbone(str(folder), CPU)


def test_a_model_that_is_no_vision_transformer_is_a_weights_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "model.safetensors"
    network = torch.nn.Linear(2, 2)
    monkeypatch.setattr(timm_backbone, "load_timm", lambda spec: (network, file))
    with pytest.raises(WeightsError, match="no plain vision transformer"):
        TimmBackbone(str(folder), CPU)
