"""Image towers for CLIPpy: one token for each patch, comparable with texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import timm
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ...schemas.errors import WeightsError
from ..encoders.options import Precision, autocast_dtype
from ..encoders.positions import interpolate_positions, offset_positions
from ..encoders.weights import LOAD_ERRORS, pinned_sha256
from ..objectness.timm_backbone import load_timm
from .checkpoint import Checkpoint, fill, linear


@dataclass(frozen=True)
class Tokens:
    """What a tower makes of images of one size.

    Args:
        prefix: (B, P, D) float32, tokens before those of the patches; CLS.
        patches: (B, h * w, D) float32, row by row.
        grid: (h, w).
    """

    prefix: Tensor
    patches: Tensor
    grid: tuple[int, int]


class ImageTower(Protocol):
    """A frozen image encoder without its pooling.

    Attributes:
        id: name and checksum of the weights.
        sha256: of the weights, 64 hex digits.
        device: where it runs.
        cell: images are whole multiples of this, (rows, columns) in pixels.
        dim: E, channels after projection.
    """

    id: str
    sha256: str
    device: torch.device
    cell: tuple[int, int]
    dim: int

    def tokens(self, images: Tensor) -> Tokens:
        """Return the tokens of (B, 3, H, W) images with RGB in [0, 1]."""
        ...

    def project(self, tokens: Tensor) -> Tensor:
        """Return (..., D) tokens, or what was pooled of them, in the space of texts, (..., E)."""
        ...


@dataclass(frozen=True)
class TowerOptions:
    """How a vision transformer is run.

    Args:
        stride: pixels between patches; None: their size. Smaller makes patches overlap and the grid finer,
            from the same image (Appendix D).
        dino_positions: resample positions as the authors' code does, with DINO's offset.
        precision: of the matrix products.
    """

    stride: int | None = None
    dino_positions: bool = False
    precision: Precision = "auto"


class TimmTower:
    """A timm vision transformer with a class token, all its blocks and its last norm.

    Args:
        model: the transformer, its weights loaded.
        projection: from its channels to those of texts; the identity where it has none.
        mean_std: of RGB in [0, 1] that it was trained with.
        weights: name and sha256.
        device: where it is moved.
        options: stride, positions, precision.

    Raises:
        WeightsError: the model is another kind of transformer, or the stride does not fit its patches.
    """

    def __init__(
        self,
        model: Any,
        projection: nn.Module,
        mean_std: tuple[tuple[float, ...], tuple[float, ...]],
        weights: tuple[str, str],
        device: torch.device,
        options: TowerOptions = TowerOptions(),
    ) -> None:
        name, self.sha256 = weights
        self.id, self.device = f"{name}@{self.sha256[:12]}", device
        self._patch = _check_plain(model, name)
        stride = options.stride or self._patch
        if stride > self._patch or self._patch % stride:
            raise WeightsError(
                f"{name!r} has patches of {self._patch} pixels, which {stride} does not divide"
            )
        self.cell, self._dino = (stride, stride), options.dino_positions
        self._model = model.to(device).eval().requires_grad_(False)
        self._projection = projection.to(device).eval().requires_grad_(False)
        self._mean, self._std = (torch.tensor(v, device=device).view(3, 1, 1) for v in mean_std)
        self._dtype = autocast_dtype(options.precision, device)
        self.dim: int = getattr(projection, "out_features", model.embed_dim)

    @torch.no_grad()
    def tokens(self, images: Tensor) -> Tokens:
        """Return the tokens of (B, 3, H, W) images in [0, 1]; the grid is (H / stride, W / stride).

        Where patches overlap, the edge is repeated beyond the image, so that cell i's patch has its centre at
        (i + 0.5) strides.

        Raises:
            ValueError: H or W is no multiple of the stride.
        """
        stride = self.cell[0]
        if any(side % stride or not side for side in images.shape[-2:]):
            raise ValueError(f"images of {tuple(images.shape[-2:])} are not whole cells of {stride}")
        normalised = (images.to(self.device) - self._mean) / self._std
        over = self._patch - stride
        before, after = over // 2, over - over // 2
        padded = F.pad(normalised, (before, after, before, after), mode="replicate")
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None):
            embedded, grid = self._embed(padded)
            for block in self._model.blocks:
                embedded = block(embedded)
            embedded = self._model.norm(embedded).to(torch.promote_types(images.dtype, torch.float32))
        return Tokens(embedded[:, :1], embedded[:, 1:], grid)

    @torch.no_grad()
    def project(self, tokens: Tensor) -> Tensor:
        """Return (..., D) in the space of texts."""
        projected: Tensor = self._projection(tokens)
        return projected

    def _embed(self, padded: Tensor) -> tuple[Tensor, tuple[int, int]]:
        convolution = self._model.patch_embed.proj
        patches = F.conv2d(padded, convolution.weight, convolution.bias, stride=self.cell[0])
        grid = (patches.shape[2], patches.shape[3])
        rows = self._model.patch_embed.norm(patches.flatten(2).transpose(1, 2))
        tokens = torch.cat([self._model.cls_token.to(rows).expand(len(rows), -1, -1), rows], dim=1)
        return self._model.norm_pre(tokens + self._positions(grid)), grid

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        learnt, known = self._model.patch_embed.grid_size, self._model.pos_embed[0]
        resample = offset_positions if self._dino else interpolate_positions
        return resample(known, learnt, grid)


def load_timm_tower(spec: str, device: torch.device, options: TowerOptions) -> TimmTower:
    """Load a timm transformer with weights of its own: a name, ``NAME:FILE`` or a timm model folder.

    Raises:
        WeightsError: no such model or weights, or it is no plain transformer with a class token.
    """
    model, file = load_timm(spec)
    config = model.pretrained_cfg
    weights = (_name(spec), pinned_sha256(file))
    return TimmTower(model, nn.Identity(), (config["mean"], config["std"]), weights, device, options)


def checkpoint_tower(
    checkpoint: Checkpoint, spec: str, device: torch.device, options: TowerOptions
) -> TimmTower:
    """Build a checkpoint's image tower; pixels are normalised by CLIP's mean and std, as in its training.

    Args:
        spec: the architecture, by timm's name or a timm model folder; its own weights are not loaded.

    Raises:
        WeightsError: there is no such architecture, or the weights do not fit it.
    """
    folder = Path(spec).is_dir()
    try:
        model = timm.create_model(f"local-dir:{spec}" if folder else spec.partition(":")[0], num_classes=0)
    except LOAD_ERRORS as err:
        raise WeightsError(f"there is no timm architecture {spec!r}: {err}") from err
    fill(model, checkpoint.trunk, checkpoint.path, f"the image tower {_name(spec)!r}")
    projection = linear(checkpoint.projection, checkpoint.path, "a projection of images")
    statistics = (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    weights = (checkpoint.path.stem, checkpoint.sha256)
    return TimmTower(model, projection, statistics, weights, device, options)


def _check_plain(model: Any, name: str) -> int:
    plain = isinstance(model, VisionTransformer) and model.has_class_token and not model.no_embed_class
    if not plain or model.num_prefix_tokens != 1 or model.pos_embed is None:
        raise WeightsError(
            f"timm model {name!r} is no plain vision transformer with a class token and learnt positions"
        )
    return int(model.patch_embed.patch_size[0])


def _name(spec: str) -> str:
    return f"timm:{Path(spec).name if Path(spec).exists() else spec.partition(':')[0]}"
