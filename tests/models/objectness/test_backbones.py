from __future__ import annotations

import pytest
import torch
from torch import nn

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.objectness.backbones import ClipBackbone, clip_backbone
from maskmill.models.objectness.clip_trunks import resnet_features
from maskmill.models.objectness.dense import DenseBackbone
from maskmill.schemas.errors import WeightsError


def test_a_backbone_keeps_what_it_promises(tiny_clip: ClipEncoder) -> None:
    backbone: DenseBackbone = ClipBackbone(tiny_clip)
    dense = backbone(torch.rand(2, 3, 37, 50))
    rows, columns = -(-37 // backbone.stride), -(-50 // backbone.stride)
    assert dense.features.shape == (2, backbone.dim, rows, columns)
    assert dense.attention.shape[0] == 2
    assert dense.attention.shape[-2:] == (rows, columns)
    assert float(dense.attention.min()) >= 0
    assert not dense.features.requires_grad
    assert tiny_clip.id in backbone.id


@pytest.mark.parametrize(
    ("layer", "stride", "dim"),
    [(None, 16, 128), ("layer1", 4, 32), ("layer4", 32, 256), ("layer2+layer4", 8, 64 + 256)],
)
def test_a_resnet_has_the_layer_that_is_named(
    tiny_resnet: ClipEncoder, layer: str | None, stride: int, dim: int
) -> None:
    backbone = clip_backbone(tiny_resnet, layer)
    assert (backbone.stride, backbone.dim) == (stride, dim)
    assert backbone(torch.rand(1, 3, 64, 64)).features.shape == (1, dim, 64 // stride, 64 // stride)


def test_images_are_normalised_before_they_are_padded(tiny_resnet: ClipEncoder) -> None:
    image = torch.rand(1, 3, 20, 40)
    normalised = (image - tiny_resnet.mean) / tiny_resnet.std
    with torch.no_grad():
        expected = resnet_features(tiny_resnet.visual, normalised, ("layer3",)).features
    torch.testing.assert_close(ClipBackbone(tiny_resnet)(image).features, expected)


@pytest.mark.parametrize("layer", ["layer5", "layer4+layer2", "layer2+layer2", "keys", "+"])
def test_a_layer_that_a_resnet_has_not_is_an_error(tiny_resnet: ClipEncoder, layer: str) -> None:
    with pytest.raises(WeightsError, match="from fine to coarse"):
        ClipBackbone(tiny_resnet, layer)


def test_a_transformer_has_no_stages(tiny_vit: ClipEncoder) -> None:
    assert ClipBackbone(tiny_vit, "keys").layer == "keys"
    with pytest.raises(WeightsError, match="no layer 'layer3'"):
        ClipBackbone(tiny_vit, "layer3")


def test_a_tower_of_another_kind_is_an_error(tiny_vit: ClipEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClipEncoder, "visual", property(lambda self: nn.Identity()))
    with pytest.raises(WeightsError, match="kind Identity"):
        ClipBackbone(tiny_vit)
