"""Image trunks of CLIP models as feature pyramids."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import QuickGELU, VisionTransformer
from pydantic import Field
from torch import Tensor, nn

from ...schemas.config import Frozen
from ...schemas.errors import WeightsError

_DETAIL = 64


class ResNetSpec(Frozen):
    """What it takes to build CLIP's ModifiedResNet again (Radford et al. 2021, Sec. 2.4)."""

    kind: Literal["resnet"] = "resnet"
    layers: tuple[int, int, int, int]
    width: int


class ViTSpec(Frozen):
    """What it takes to build CLIP's vision transformer again; ``grid`` is its side in patches."""

    kind: Literal["vit"] = "vit"
    patch: int
    grid: int
    width: int
    layers: int
    heads: int
    quick_gelu: bool


TrunkSpec = Annotated[ResNetSpec | ViTSpec, Field(discriminator="kind")]


class ResNetTrunk(nn.Module):
    """ModifiedResNet without its attention pool: features at strides 4, 8, 16 and 32."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        self.net = ModifiedResNet(list(spec.layers), output_dim=1, heads=1, image_size=32, width=spec.width)
        self.net.attnpool = nn.Identity()
        self.channels = tuple(spec.width * k for k in (4, 8, 16, 32))
        self.stride = 32

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.net.stem(images)
        features = []
        for layer in (self.net.layer1, self.net.layer2, self.net.layer3, self.net.layer4):
            x = layer(x)
            features.append(x)
        return features


class ViTTrunk(nn.Module):
    """CLIP's ViT: its patch tokens, and beside them untrained convolutions at stride 4 for the contours."""

    def __init__(self, spec: ViTSpec) -> None:
        super().__init__()
        self.net = VisionTransformer(
            image_size=spec.patch * spec.grid,
            patch_size=spec.patch,
            width=spec.width,
            layers=spec.layers,
            heads=spec.heads,
            mlp_ratio=4.0,
            output_dim=1,
            act_layer=QuickGELU if spec.quick_gelu else nn.GELU,
        )
        self.net.proj = None
        self.detail = nn.Sequential(_stride_2(3, _DETAIL // 2), _stride_2(_DETAIL // 2, _DETAIL))
        self.channels = (_DETAIL, spec.width)
        self.stride = spec.patch
        self.grid = spec.grid

    def forward(self, images: Tensor) -> list[Tensor]:
        tokens = self.net.conv1(images)
        rows, columns = tokens.shape[-2:]
        head = self.net.class_embedding.expand(len(images), 1, -1)
        tokens = torch.cat([head, tokens.flatten(2).transpose(1, 2)], 1)
        tokens = self.net.transformer(self.net.ln_pre(tokens + self._positions(rows, columns)))
        tokens = self.net.ln_post(tokens)[:, 1:].transpose(1, 2)
        return [self.detail(images), tokens.unflatten(2, (rows, columns))]

    def _positions(self, rows: int, columns: int) -> Tensor:
        head, grid = self.net.positional_embedding.split([1, self.grid**2])
        if (rows, columns) != (self.grid, self.grid):
            plane = grid.T.reshape(1, -1, self.grid, self.grid)
            plane = F.interpolate(plane, size=(rows, columns), mode="bicubic", align_corners=False)
            grid = plane.flatten(2)[0].T
        return torch.cat([head, grid])


def build_trunk(spec: ResNetSpec | ViTSpec) -> ResNetTrunk | ViTTrunk:
    """Build an untrained trunk: float (B, 3, H, W) normalised images, H and W multiples of ``stride``, to a
    list of (B, ``channels[i]``, h, w) from fine to coarse.
    """
    return ResNetTrunk(spec) if isinstance(spec, ResNetSpec) else ViTTrunk(spec)


def trunk_spec(visual: nn.Module) -> ResNetSpec | ViTSpec:
    """Read the specification off the image tower of an open_clip model.

    Raises:
        WeightsError: the tower is neither a ModifiedResNet nor a plain CLIP ViT.
    """
    if isinstance(visual, ModifiedResNet):
        blocks = (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
        first, second, third, fourth = (len(block) for block in blocks)
        return ResNetSpec(layers=(first, second, third, fourth), width=visual.conv3.out_channels)
    if isinstance(visual, VisionTransformer) and visual.grid_size[0] == visual.grid_size[1]:
        return ViTSpec(
            patch=visual.patch_size[0],
            grid=visual.grid_size[0],
            width=visual.conv1.out_channels,
            layers=len(visual.transformer.resblocks),
            heads=visual.transformer.resblocks[0].attn.num_heads,
            quick_gelu=isinstance(visual.transformer.resblocks[0].mlp.gelu, QuickGELU),
        )
    raise WeightsError(
        f"a student cannot start from an image tower of type {type(visual).__name__}: choose a CLIP with a "
        "ModifiedResNet (RN50 ...) or a plain ViT (ViT-B-16, ViT-B-32 ...)"
    )


def trunk_of(visual: nn.Module) -> tuple[ResNetSpec | ViTSpec, ResNetTrunk | ViTTrunk]:
    """Copy the image tower of an open_clip model into a trunk of its own.

    Raises:
        WeightsError: the tower cannot be a trunk, or is a variant of a ViT with other parts.
    """
    spec = trunk_spec(visual)
    trunk = build_trunk(spec)
    pooling = ("attnpool.", "proj")
    state = {k: v.float().cpu() for k, v in visual.state_dict().items() if not k.startswith(pooling)}
    own = set(trunk.net.state_dict())
    if own != set(state):
        odd = sorted(own ^ set(state))
        raise WeightsError(f"the image tower differs from a plain CLIP {spec.kind} in {', '.join(odd[:3])}")
    trunk.net.load_state_dict(state)
    return spec, trunk


def _stride_2(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
