from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import open_clip
import pytest
import torch

from maskmill.models.encoders.vit import VitTrunk
from maskmill.schemas.errors import WeightsError

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bare": {"no_ln_pre": True, "ls_init_value": 0.3},
    "mean": {"pool_type": "avg"},
    "mean, late LN": {"pool_type": "avg", "final_ln_after_pool": True},
    "dropout": {"patch_dropout": 0.5},
    "custom": {"qk_norm": True, "scale_heads": True, "scale_attn_inner": True, "scale_attn": True},
}


def _model(**extra: Any) -> Any:
    tower = {"image_size": 32, "layers": 3, "width": 32, "head_width": 8, "patch_size": 8, **extra}
    text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    model = open_clip.CLIP(12, tower, text, quick_gelu=True).eval()
    for name, parameter in model.visual.named_parameters():
        if name.endswith(("bias", "gamma", "head_scale")) or ".ln_" in name:
            torch.nn.init.normal_(parameter.data, 0.5, 0.3)
    return model


@pytest.fixture(scope="module", params=VARIANTS)
def model(request: pytest.FixtureRequest) -> Any:
    return _model(**VARIANTS[request.param])


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    torch.manual_seed(1)
    with torch.no_grad():
        yield


def test_the_whole_trunk_is_the_models_own_forward_pass(model: Any) -> None:
    images, trunk = torch.randn(3, 3, 32, 32), VitTrunk(model.visual)
    tokens = trunk.tokens_before(images, trunk.depth)
    torch.testing.assert_close(trunk.pool(tokens), model.encode_image(images), atol=1e-5, rtol=0)
    assert (trunk.depth, trunk.width, trunk.prefix, trunk.patch) == (3, 32, 1, (8, 8))


def test_a_block_is_the_models_own(model: Any) -> None:
    trunk, tokens = VitTrunk(model.visual), torch.randn(2, 9, 32)
    for index, module in enumerate(model.visual.transformer.resblocks):
        torch.testing.assert_close(trunk.block(index)(tokens), module(tokens), atol=1e-5, rtol=0)


def test_a_tower_that_wants_the_batch_second_gives_the_same() -> None:
    images, model = torch.randn(2, 3, 32, 32), _model()
    expected = model.encode_image(images)
    model.visual.transformer.batch_first = False
    for block in model.visual.transformer.resblocks:
        block.attn.batch_first = False
    torch.testing.assert_close(model.encode_image(images), expected, atol=1e-5, rtol=0)
    trunk = VitTrunk(model.visual)
    torch.testing.assert_close(trunk.pool(trunk.tokens_before(images, 3)), expected, atol=1e-5, rtol=0)


def test_layers_below_a_block_can_be_shared(model: Any) -> None:
    images, trunk = torch.randn(2, 3, 32, 32), VitTrunk(model.visual)
    whole = trunk.tokens_before(images, trunk.depth)
    for split in range(trunk.depth + 1):
        shared = trunk.tokens_before(images, split)
        torch.testing.assert_close(trunk.run(shared, split, trunk.depth), whole, atol=1e-6, rtol=0)
    assert torch.equal(trunk.tokens_before(images, -1), trunk.tokens_before(images, 2))


def test_a_variant_of_attention_is_put_together_from_a_blocks_parts(model: Any) -> None:
    trunk, tokens = VitTrunk(model.visual), torch.randn(2, 9, 32)
    block = trunk.block(1)
    qkv = block.qkv(tokens)
    assert qkv.query.shape == qkv.key.shape == qkv.value.shape == (2, 4, 9, 8)
    weights = block.weights(qkv)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 4, 9))
    torch.testing.assert_close(weights @ qkv.value, block.attend(qkv), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        block.finish(tokens, block.output(weights @ qkv.value)), block(tokens), atol=1e-5, rtol=0
    )


def test_a_bias_of_minus_infinity_hides_a_token(model: Any) -> None:
    block, tokens = VitTrunk(model.visual).block(0), torch.randn(1, 6, 32)
    bias = torch.zeros(6)
    bias[4] = -torch.inf
    qkv = block.qkv(tokens)
    assert block.weights(qkv, bias)[..., 4].max() == 0
    other = block.qkv(torch.where((torch.arange(6) == 4)[:, None], torch.randn(32), tokens))
    kept = [0, 1, 2, 3, 5]
    torch.testing.assert_close(
        block.attend(qkv, bias)[:, :, kept], block.attend(other, bias)[:, :, kept], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        block.weights(qkv, bias) @ qkv.value, block.attend(qkv, bias), atol=1e-5, rtol=0
    )


def test_any_whole_number_of_patches_is_a_grid() -> None:
    trunk = VitTrunk(_model().visual)
    images = torch.randn(2, 3, 40, 64)
    tokens = trunk.tokens_before(images, trunk.depth)
    assert trunk.grid(images) == (5, 8)
    assert trunk.project(tokens).shape == (2, 41, 12)
    alone = trunk.tokens_before(images[1:], trunk.depth)
    torch.testing.assert_close(tokens[1:], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(33, 32), (32, 31), (0, 32)])
def test_a_remainder_of_a_patch_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="whole patches"):
        VitTrunk(_model().visual).embed(torch.zeros(1, 3, *size))


def test_projecting_the_class_token_is_pooling() -> None:
    trunk = VitTrunk(_model().visual)
    tokens = trunk.tokens_before(torch.randn(2, 3, 32, 32), 3)
    torch.testing.assert_close(trunk.project(tokens)[:, 0], trunk.pool(tokens))


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"attentional_pool": True, "attn_pooler_heads": 4}, "pools by attention"),
        ({"layers": [1, 1, 1, 1], "width": 8, "head_width": 64}, "ModifiedResNet"),
        ({"scaled_cosine_attn": True}, "scaled cosine"),
    ],
)
def test_a_tower_that_cannot_be_taken_apart_is_refused(extra: dict[str, Any], text: str) -> None:
    with pytest.raises(WeightsError, match=text):
        VitTrunk(_model(**extra).visual, "mine")
