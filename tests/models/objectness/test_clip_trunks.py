from __future__ import annotations

import torch
import torch.nn.functional as F

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.objectness.clip_trunks import pool_attention, resnet_features, vit_features


def test_resnet_features_are_the_stages_outputs(tiny_resnet: ClipEncoder) -> None:
    trunk = tiny_resnet.visual
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = trunk.forward_intermediates(images, indices=5, intermediates_only=True)[
            "image_intermediates"
        ]
        for index, layer in enumerate(("layer1", "layer2", "layer3", "layer4"), start=1):
            dense = resnet_features(trunk, images, (layer,))
            torch.testing.assert_close(dense.features, expected[index])
            assert dense.attention.shape == (2, trunk.attnpool.num_heads, *expected[index].shape[-2:])
            assert not dense.per_head
        joined = resnet_features(trunk, images, ("layer2", "layer4")).features
    torch.testing.assert_close(joined[:, : expected[2].shape[1]], expected[2])
    coarse = F.interpolate(expected[4], (8, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(joined[:, expected[2].shape[1] :], coarse)


def test_resnet_features_of_odd_sizes_cover_the_image_and_no_more(tiny_resnet: ClipEncoder) -> None:
    images = torch.randn(1, 3, 41, 7)
    with torch.no_grad():
        dense = resnet_features(tiny_resnet.visual, images, ("layer2",))
        padded = resnet_features(tiny_resnet.visual, F.pad(images, (0, 25, 0, 23)), ("layer2",))
    assert dense.features.shape[-2:] == dense.attention.shape[-2:] == (6, 1)
    torch.testing.assert_close(dense.features, padded.features[..., :6, :1])


def test_pool_attention_reproduces_the_pooled_embedding(tiny_resnet: ClipEncoder) -> None:
    """The values averaged with the attention and projected are CLIP's output, so it is CLIP's attention."""
    pool = tiny_resnet.visual.attnpool
    x = torch.randn(2, pool.k_proj.in_features, 1, 1)
    with torch.no_grad():
        attention = pool_attention(pool, x).flatten(2)
        tokens = torch.cat([x.flatten(2)] * 2, dim=2).transpose(1, 2) + pool.positional_embedding
        values = pool.v_proj(tokens).unflatten(-1, (pool.num_heads, -1)).transpose(1, 2)
        weights = torch.cat([1 - attention.sum(-1, keepdim=True), attention], dim=-1)
        pooled = torch.einsum("bhn,bhnd->bhd", weights, values).flatten(1)
        torch.testing.assert_close(pool.c_proj(pooled), pool(x), atol=1e-5, rtol=1e-5)


def test_vit_features_are_the_last_blocks_keys_and_cls_attention(tiny_vit: ClipEncoder) -> None:
    trunk = tiny_vit.visual
    images = torch.randn(2, 3, 32, 32)
    block = trunk.transformer.resblocks[-1]
    seen = {}
    handle = block.ln_1.register_forward_hook(lambda module, given, out: seen.update(tokens=out))
    with torch.no_grad():
        trunk(images)
        handle.remove()
        tokens = seen["tokens"]
        _, attention = block.attn(tokens, tokens, tokens, need_weights=True, average_attn_weights=False)
        dense = vit_features(trunk, images)
        weight, bias = block.attn.in_proj_weight[32:64], block.attn.in_proj_bias[32:64]
        keys = tokens @ weight.T + bias
    torch.testing.assert_close(dense.features.flatten(2), keys[:, 1:].transpose(1, 2), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(dense.attention.flatten(2), attention[:, :, 0, 1:], atol=1e-5, rtol=1e-4)
    assert dense.per_head


def test_vit_features_of_other_sizes_interpolate_positions(tiny_vit: ClipEncoder) -> None:
    with torch.no_grad():
        dense = vit_features(tiny_vit.visual, torch.randn(1, 3, 41, 70))
    assert dense.features.shape == (1, 32, 6, 9)
    assert dense.attention.shape == (1, 2, 6, 9)
