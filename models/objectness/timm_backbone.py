"""A timm vision transformer as a dense backbone, e.g. DINO ViT-S/8, FOUND's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download
from timm.layers import Attention
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from ...schemas.errors import WeightsError
from ..encoders.positions import offset_positions
from ..encoders.weights import LOAD_ERRORS, pinned_sha256
from .dense import DenseFeatures, pad_to_multiple, query_attention, to_grid

_WEIGHTS_FILE = "model.safetensors"


class TimmBackbone:
    """The keys of the last block of a timm vision transformer, heads concatenated and not normalised.

    Of the last block only the norm and the projection to queries and keys are run. Positions are resampled to
    the image's grid as in DINO's code, which FOUND's is built on, and not as timm does it.

    Args:
        spec: a timm name with pretrained weights such as ``vit_small_patch8_224.dino``, ``NAME:FILE`` for a
            checkpoint on this disk, or a timm model folder with ``config.json`` and ``model.safetensors``.
        device: where it runs.

    Raises:
        WeightsError: no such model or weights, or it is no plain transformer with a CLS token.
    """

    def __init__(self, spec: str, device: torch.device) -> None:
        self._device = device
        model, file = load_timm(spec)
        digest = pinned_sha256(file)
        if not _is_plain(model):
            raise WeightsError(f"timm model {spec!r} is no plain vision transformer with a CLS token")
        self._model = model.to(self._device).eval().requires_grad_(False)
        self.id = f"timm:{Path(spec).name if Path(spec).exists() else spec.partition(':')[0]}@{digest[:12]}"
        self.stride = model.patch_embed.patch_size[0]
        self.dim = model.embed_dim
        config = model.pretrained_cfg
        self._mean = torch.tensor(config["mean"], device=self._device).view(3, 1, 1)
        self._std = torch.tensor(config["std"], device=self._device).view(3, 1, 1)
        self._resample = offset_positions

    @torch.no_grad()
    def __call__(self, images: Tensor) -> DenseFeatures:
        normalised = pad_to_multiple((images.to(self._device) - self._mean) / self._std, self.stride)
        tokens, grid = self._before_last_block(normalised, self.stride)
        last, prefix = self._model.blocks[-1], self._model.num_prefix_tokens
        qkv = last.attn.qkv(last.norm1(tokens))
        query, keys, _ = qkv.unflatten(-1, (3, last.attn.num_heads, -1)).unbind(2)
        query, keys = last.attn.q_norm(query[:, 0]), last.attn.k_norm(keys.transpose(1, 2))
        attention = query_attention(query, keys, prefix)
        features = keys[:, :, prefix:].transpose(1, 2).flatten(2)
        return DenseFeatures(to_grid(features, grid), attention.unflatten(-1, grid), per_head=True)

    def _before_last_block(self, normalised: Tensor, stride: int) -> tuple[Tensor, tuple[int, int]]:
        """Return what the last block is given, (B, prefix + h * w, D), and (h, w)."""
        model, projection = self._model, self._model.patch_embed.proj
        cells = F.conv2d(normalised, projection.weight, projection.bias, stride=stride)
        grid = (cells.shape[-2], cells.shape[-1])
        patches = model.patch_embed.norm(cells.flatten(2).transpose(1, 2))
        positions = self._resample(model.pos_embed[0], model.patch_embed.grid_size, grid)
        own = positions.shape[0] - patches.shape[1]  # of the leading tokens, which may have none
        given = [token for token in (model.cls_token, model.reg_token) if token is not None]
        leading = torch.cat(given, dim=1).expand(len(patches), -1, -1)
        leading = leading + positions[:own] if own else leading
        tokens = model.norm_pre(torch.cat([leading, patches + positions[own:]], dim=1))
        for block in model.blocks[:-1]:
            tokens = block(tokens)
        return tokens, grid


def _is_plain(model: object) -> bool:
    return (
        isinstance(model, VisionTransformer)
        and model.has_class_token
        and model.pos_embed is not None
        and len(model.blocks) > 1
        and isinstance(getattr(model.blocks[-1], "attn", None), Attention)
    )


def load_timm(spec: str) -> tuple[Any, Path]:
    name, _, file = spec.partition(":")
    try:
        if Path(spec).is_dir():
            name, path, overlay = f"local-dir:{spec}", Path(spec) / _WEIGHTS_FILE, {}
        else:
            path = Path(file) if file else _download(name)
            overlay = {"file": str(path)}
        model = timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
    except LOAD_ERRORS as err:
        raise WeightsError(
            f"timm backbone {spec!r} could not be loaded ({err}): check the name with "
            "timm.list_pretrained(), go online once, or give NAME:FILE with a checkpoint on this disk"
        ) from err
    return model, path


def _download(name: str) -> Path:
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise RuntimeError(f"timm has no pretrained weights on its hub under the name {name!r}")
    return Path(hf_hub_download(config.hf_hub_id, _WEIGHTS_FILE))
