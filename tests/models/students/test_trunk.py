from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import nn

from maskmill.models.students.trunk import ResNetSpec, ViTSpec, build_trunk, trunk_of, trunk_spec
from maskmill.schemas.errors import WeightsError


def _resnet() -> ModifiedResNet:
    torch.manual_seed(0)
    return ModifiedResNet([1, 2, 1, 1], output_dim=8, heads=2, image_size=64, width=8).eval()


def _vit(**other: object) -> VisionTransformer:
    torch.manual_seed(0)
    sizes = {"image_size": 32, "patch_size": 8, "width": 16, "layers": 2, "heads": 2, "mlp_ratio": 4.0}
    return VisionTransformer(**{**sizes, **other}).eval()


def test_the_resnet_trunk_computes_what_clip_computes() -> None:
    visual = _resnet()
    spec, trunk = trunk_of(visual)
    images = torch.rand(2, 3, 64, 96)
    expected = visual.forward_intermediates(images, indices=[1, 2, 3, 4], intermediates_only=True)
    features = trunk.eval()(images)
    assert spec == ResNetSpec(layers=(1, 2, 1, 1), width=8)
    assert [f.shape[1] for f in features] == list(trunk.channels)
    assert [96 // f.shape[-1] for f in features] == [4, 8, 16, 32]
    for mine, clips in zip(features, expected["image_intermediates"], strict=True):
        torch.testing.assert_close(mine, clips)


@pytest.mark.parametrize("act_layer", [nn.GELU, QuickGELU])
def test_the_vit_trunk_computes_what_clip_computes(act_layer: type[nn.Module]) -> None:
    visual = _vit(act_layer=act_layer)
    spec, trunk = trunk_of(visual)
    images = torch.rand(2, 3, 32, 32)
    expected = visual.forward_intermediates(
        images, indices=1, normalize_intermediates=False, intermediates_only=True
    )["image_intermediates"][0]
    normed = visual.ln_post(expected.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, (4, 4))
    detail, tokens = trunk.eval()(images)
    assert spec == ViTSpec(patch=8, grid=4, width=16, layers=2, heads=2, quick_gelu=act_layer is QuickGELU)
    assert detail.shape == (2, trunk.channels[0], 8, 8)
    torch.testing.assert_close(tokens, normed)


def test_the_vit_trunk_takes_images_of_another_size_than_clip() -> None:
    trunk = build_trunk(ViTSpec(patch=8, grid=4, width=16, layers=1, heads=2, quick_gelu=False)).eval()
    detail, tokens = trunk(torch.rand(1, 3, 48, 24))
    assert tokens.shape == (1, 16, 6, 3)
    assert detail.shape[-2:] == (12, 6)


def test_a_trunk_is_a_copy() -> None:
    visual = _resnet()
    _, trunk = trunk_of(visual)
    before = visual.conv1.weight.clone()
    with torch.no_grad():
        trunk.net.conv1.weight.add_(1)
    assert torch.equal(visual.conv1.weight, before)
    assert trunk.net.conv1.weight.requires_grad


def test_a_tower_of_another_kind_is_refused_with_what_to_choose() -> None:
    with pytest.raises(WeightsError, match=r"type Linear.*RN50"):
        trunk_spec(nn.Linear(2, 2))


def test_a_vit_with_parts_that_the_trunk_lacks_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"differs from a plain CLIP vit in .*ls_1"):
        trunk_of(_vit(ls_init_value=0.1))


def test_the_spec_of_rn50_is_read_off_its_tower() -> None:
    config = open_clip.get_model_config("RN50")
    assert config is not None
    with torch.device("meta"):
        visual = ModifiedResNet([3, 4, 6, 3], output_dim=config["embed_dim"], heads=32, width=64)
    assert trunk_spec(visual) == ResNetSpec(layers=(3, 4, 6, 3), width=64)
