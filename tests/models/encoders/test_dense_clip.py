from __future__ import annotations

import math
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from open_clip.transformer import QuickGELU

from maskmill.models.encoders.clip import ClipEncoder, ClipWeights
from maskmill.models.encoders.dense_clip import DenseClip, DenseMode

Array = NDArray[np.float64]
TEXT = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT = {"image_size": 24, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 4, "head_width": 64}
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def _encoder(tower: dict[str, Any], quick_gelu: bool = True) -> ClipEncoder:
    """Build a random CLIP whose biases, norms and positions are not at their initial zeros and ones."""
    torch.manual_seed(0)
    model = open_clip.CLIP(12, tower, TEXT, quick_gelu=quick_gelu)
    for name, parameter in model.visual.named_parameters():
        if "bias" in name or ".bn" in name or "ln_" in name or "downsample.1" in name:
            torch.nn.init.normal_(parameter.data, 0.3, 0.4)
    for name, buffer in model.visual.named_buffers():
        if name.endswith("running_mean"):
            torch.nn.init.normal_(buffer, 0.0, 0.5)
        elif name.endswith("running_var"):
            torch.nn.init.uniform_(buffer, 0.5, 2.0)
    model.visual.preprocess_cfg = {"mean": MEAN, "std": STD}
    tokenizer = open_clip.get_tokenizer("ViT-B-32", context_length=8)
    return ClipEncoder(model, tokenizer, ClipWeights("tiny", "0" * 64), torch.device("cpu"))


def _weights(module: torch.nn.Module) -> dict[str, Array]:
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def _norm(x: Array, w: dict[str, Array], name: str) -> Array:
    centred = x - x.mean()
    scaled = centred / math.sqrt((centred**2).mean() + 1e-5)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def _linear(x: Array, w: dict[str, Array], name: str) -> Array:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def _feed_forward(x: Array, w: dict[str, Array], block: str) -> Array:
    hidden = _linear(_norm(x, w, f"{block}.ln_2"), w, f"{block}.mlp.c_fc")
    return x + _linear(hidden / (1 + np.exp(-1.702 * hidden)), w, f"{block}.mlp.c_proj")


def _project_qkv(x: Array, w: dict[str, Array], block: str) -> list[Array]:
    whole = w[f"{block}.attn.in_proj_weight"] @ _norm(x, w, f"{block}.ln_1")
    return np.split(whole + w[f"{block}.attn.in_proj_bias"], 3)


def _block(tokens: list[Array], w: dict[str, Array], block: str, heads: int) -> list[Array]:
    qkv = [_project_qkv(x, w, block) for x in tokens]
    depth = len(tokens[0]) // heads
    result = []
    for x, (query, _, _) in zip(tokens, qkv, strict=True):
        joined = np.zeros_like(x)
        for head in range(heads):
            part = slice(head * depth, (head + 1) * depth)
            logits = np.array([query[part] @ key[part] / math.sqrt(depth) for _, key, _ in qkv])
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            joined[part] = sum(s * value[part] for s, (_, _, value) in zip(shares, qkv, strict=True))
        result.append(_feed_forward(x + _linear(joined, w, f"{block}.attn.out_proj"), w, block))
    return result


def _tokens(image: Array, w: dict[str, Array]) -> list[Array]:
    """Return class token and patches after ln_pre, of a normalised (3, 24, 24) image: the learnt grid."""
    tokens = [w["class_embedding"]]
    for top in range(0, 24, 8):
        for left in range(0, 24, 8):
            pixels = image[:, top : top + 8, left : left + 8]
            tokens.append((w["conv1.weight"] * pixels).sum(axis=(1, 2, 3)))
    return [_norm(t + p, w, "ln_pre") for t, p in zip(tokens, w["positional_embedding"], strict=True)]


def _reference_vit(image: Array, w: dict[str, Array], mode: str) -> tuple[Array, Array]:
    """MaskCLIP's features (9, 12) and keys (9, 16) from the equations, a token at a time."""
    *lower, last = (f"transformer.resblocks.{n}" for n in range(2))
    tokens = _tokens(image, w)
    for block in lower:
        tokens = _block(tokens, w, block, heads=2)
    features, keys = [], []
    for x in tokens[1:]:
        _, key, value = _project_qkv(x, w, last)
        value = _linear(value, w, f"{last}.attn.out_proj")
        if mode == "released":
            value = _feed_forward(x + value, w, last)
            key = _linear(key, w, f"{last}.attn.out_proj")
        embedded = _norm(value, w, "ln_post") @ w["proj"]
        features.append(embedded / np.linalg.norm(embedded))
        keys.append(key)
    return np.array(features), np.array(keys)


def _normalised(images: torch.Tensor) -> Array:
    mean, std = (np.array(v).reshape(3, 1, 1) for v in (MEAN, STD))
    return (images.double().numpy() - mean) / std


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_a_transformers_features_follow_the_equations(mode: DenseMode) -> None:
    encoder, images = _encoder(VIT), torch.rand(2, 3, 24, 24)
    found = DenseClip(encoder, mode).embed(images)
    assert isinstance(encoder.visual.transformer.resblocks[0].mlp.gelu, QuickGELU)
    for row, image in enumerate(_normalised(images)):
        features, keys = _reference_vit(image, _weights(encoder.visual), mode)
        assert np.allclose(found.features[row].flatten(1).T, features, atol=2e-5)
        assert np.allclose(found.keys[row], keys, atol=2e-5)


def test_the_released_reading_keeps_residual_and_feed_forward_half() -> None:
    encoder, images = _encoder(VIT), torch.rand(1, 3, 24, 24)
    paper, released = (DenseClip(encoder, mode).embed(images) for mode in ("paper", "released"))
    block = encoder.visual.transformer.resblocks[-1]
    with torch.no_grad():  # with a value path of zero, the residual is what the released code is left with
        block.attn.out_proj.weight.zero_()
        block.attn.out_proj.bias.zero_()
    assert not torch.allclose(paper.features, released.features, atol=0.1)
    silent = {mode: DenseClip(encoder, mode).embed(images).features for mode in ("paper", "released")}
    assert float(silent["paper"].flatten(2).std(dim=2).max()) < 1e-6
    assert float(silent["released"].flatten(2).std(dim=2).max()) > 1e-2


def _conv(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    """Convolve (C, H, W) with (D, C, k, k), a pixel at a time."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    size = kernel.shape[2]
    rows, columns = ((side - size) // stride + 1 for side in x.shape[1:])
    result = np.zeros((len(kernel), rows, columns))
    for y in range(rows):
        for z in range(columns):
            cut = x[:, y * stride : y * stride + size, z * stride : z * stride + size]
            result[:, y, z] = (kernel * cut).sum(axis=(1, 2, 3))
    return result


def _batch_norm(x: Array, w: dict[str, Array], name: str) -> Array:
    scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + 1e-5)
    shift = w[f"{name}.bias"] - scale * w[f"{name}.running_mean"]
    return x * scale[:, None, None] + shift[:, None, None]


def _halve(x: Array) -> Array:
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def _bottleneck(x: Array, w: dict[str, Array], name: str, stride: int) -> Array:
    y = np.maximum(_batch_norm(_conv(x, w[f"{name}.conv1.weight"], 1, 0), w, f"{name}.bn1"), 0)
    y = np.maximum(_batch_norm(_conv(y, w[f"{name}.conv2.weight"], 1, 1), w, f"{name}.bn2"), 0)
    x, y = (_halve(x), _halve(y)) if stride == 2 else (x, y)
    y = _batch_norm(_conv(y, w[f"{name}.conv3.weight"], 1, 0), w, f"{name}.bn3")
    short = _batch_norm(_conv(x, w[f"{name}.downsample.0.weight"], 1, 0), w, f"{name}.downsample.1")
    return np.maximum(y + short, 0)


def _reference_resnet(image: Array, w: dict[str, Array]) -> tuple[Array, Array]:
    """MaskCLIP's features (cells, 12) and keys of a normalised image of whole cells of 32 pixels."""
    x = image
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        x = np.maximum(_batch_norm(_conv(x, w[f"conv{number}.weight"], stride, 1), w, f"bn{number}"), 0)
    x = _halve(x)
    for number in range(1, 5):
        x = _bottleneck(x, w, f"layer{number}.0", 1 if number == 1 else 2)
    features, keys = [], []
    for cell in x.reshape(len(x), -1).T:
        embedded = _linear(_linear(cell, w, "attnpool.v_proj"), w, "attnpool.c_proj")
        features.append(embedded / np.linalg.norm(embedded))
        keys.append(_linear(cell, w, "attnpool.k_proj"))
    return np.array(features), np.array(keys)


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_a_resnets_features_are_its_pools_projections(mode: DenseMode) -> None:
    encoder, images = _encoder(RESNET), torch.rand(2, 3, 64, 32)
    found = DenseClip(encoder, mode).embed(images)
    assert found.features.shape == (2, 12, 2, 1)
    for row, image in enumerate(_normalised(images)):
        features, keys = _reference_resnet(image, _weights(encoder.visual))
        assert np.allclose(found.features[row].flatten(1).T, features, atol=2e-5)
        assert np.allclose(found.keys[row], keys, atol=2e-5)


@pytest.mark.parametrize("tower", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("size", [(24, 24), (1, 1), (50, 37), (9, 100)])
def test_any_size_gives_whole_cells_of_unit_norm(tower: dict[str, Any], size: tuple[int, int]) -> None:
    dense = DenseClip(_encoder(tower))
    images = torch.rand(3, 3, *size)
    found = dense.embed(images)
    grid = tuple(math.ceil(side / cell) for side, cell in zip(size, dense.stride, strict=True))
    assert found.features.shape == (3, 12, *grid)
    assert found.keys.shape[:2] == (3, grid[0] * grid[1])
    torch.testing.assert_close(found.features.norm(dim=1), torch.ones(3, *grid))
    torch.testing.assert_close(dense.dense_features(images[1:2]), found.features[1:2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("tower", [VIT, RESNET], ids=["vit", "resnet"])
def test_padding_is_zeros_after_normalisation(tower: dict[str, Any]) -> None:
    """Zeros after normalisation are pixels of the mean colour before it."""
    dense = DenseClip(_encoder(tower))
    whole = torch.tensor(MEAN).view(1, 3, 1, 1).repeat(1, 1, 64, 64)
    whole[..., :50, :60] = torch.rand(1, 3, 50, 60)
    cut = whole[..., :50, :60]
    rows, columns = (math.ceil(side / dense.stride[0]) for side in (50, 60))
    padded = (
        torch.tensor(MEAN).view(1, 3, 1, 1).repeat(1, 1, rows * dense.stride[0], columns * dense.stride[0])
    )
    padded[..., :50, :60] = cut
    torch.testing.assert_close(dense.dense_features(cut), dense.dense_features(padded), atol=1e-5, rtol=0)
