from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.zero_guidance.masked_attention import MaskRule
from maskmill.models.zero_guidance.segment_encoders import (
    CropAndMask,
    MaskedPool,
    MaskedTransformer,
    segment_encoder,
    token_mask,
)
from maskmill.schemas.errors import ConfigError


def _image(height: int = 40, width: int = 56) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def _masks() -> Tensor:
    """Return a block, its complement and a line, (3, 24, 32)."""
    masks = torch.zeros(3, 24, 32)
    masks[0, 3:17, 5:21] = 1
    masks[1] = 1 - masks[0]
    masks[2, 23] = 1
    return masks


def _square(image: Tensor, clip: ClipEncoder) -> Tensor:
    resized = F.interpolate(image[None], (32, 32), mode="bicubic", align_corners=False, antialias=True)
    return (resized.clamp(0, 1)[0] - clip.mean) / clip.std


def _area(mask: Tensor, side: int) -> Tensor:
    """Average a mask over side x side cells; 24 and 32 divide by 4."""
    rows, columns = mask.shape[0] // side, mask.shape[1] // side
    return torch.stack(
        [
            mask[r * rows : (r + 1) * rows, c * columns : (c + 1) * columns].mean()
            for r in range(side)
            for c in range(side)
        ]
    )


def _masked_block(block: torch.nn.Module, tokens: Tensor, mask: Tensor, rule: MaskRule) -> Tensor:
    """One block of the ViT over (n, D) tokens in double precision, residual and feed-forward kept."""
    attn, count = block.attn, block.attn.num_heads
    query, key, value = F.linear(block.ln_1(tokens), attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1)
    plain, masked, cosines = [], [], []
    for q, k, v in zip(query.chunk(count, -1), key.chunk(count, -1), value.chunk(count, -1), strict=True):
        exps = (q @ k.T / math.sqrt(q.shape[-1])).exp()
        p = exps / exps.sum(1, keepdim=True)
        m = exps * mask / (exps * mask).sum(1, keepdim=True)
        cosines.append(F.cosine_similarity(p, m, dim=1).mean())
        plain.append(p @ v)
        masked.append(m @ v)
    whole, part = torch.cat(plain, 1), torch.cat(masked, 1)
    saliency = torch.stack(cosines).mean()
    if rule.reading == "paper":
        saliency = F.cosine_similarity(whole, part, dim=1).mean()
    w = torch.exp(-((saliency + 1) ** 2) / (2 * rule.variance)) if rule.subtract else 0
    tokens = tokens + attn.out_proj(part - w * whole[0])
    return tokens + block.mlp(block.ln_2(tokens))


def _reference(clip: ClipEncoder, image: Tensor, mask: Tensor, rule: MaskRule) -> Tensor:
    """The whole tower for one segment, nothing shared."""
    visual = clip.visual
    patches = visual.conv1(_square(image, clip)[None].double()).flatten(2)[0].T
    tokens = torch.cat([visual.class_embedding[None], patches]) + visual.positional_embedding
    tokens = visual.ln_pre(tokens)
    weights = torch.cat([torch.ones(1).double(), _area(mask.double(), 4)])
    blocks = list(visual.transformer.resblocks)
    for index, block in enumerate(blocks):
        if index >= len(blocks) - rule.layers:
            tokens = _masked_block(block, tokens, weights, rule)
        else:
            tokens = block(tokens[None])[0]
    return F.normalize(visual.ln_post(tokens[0]) @ visual.proj, dim=0)


@pytest.mark.parametrize("reading", ["paper", "released"])
@pytest.mark.parametrize(("layers", "subtract"), [(1, True), (2, True), (2, False)])
def test_a_transformer_embeds_segments_as_the_equations_say(
    tiny_vit: ClipEncoder, reading: str, layers: int, subtract: bool
) -> None:
    rule = MaskRule(layers, subtract, reading=reading)  # type: ignore[arg-type]
    found = MaskedTransformer(tiny_vit, rule, batch=2).see(_image())(_masks())
    tiny_vit.model.double()
    try:
        with torch.no_grad():
            expected = torch.stack([_reference(tiny_vit, _image(), mask, rule) for mask in _masks()])
    finally:
        tiny_vit.model.float()
    assert torch.allclose(found.double(), expected, atol=2e-5)
    assert not torch.allclose(found[0], found[1], atol=1e-2)


def test_the_layers_below_the_masked_ones_run_once_for_an_image(tiny_vit: ClipEncoder) -> None:
    calls = []
    first = tiny_vit.visual.transformer.resblocks[0].mlp
    handle = first.register_forward_hook(lambda module, given, out: calls.append(len(given[0])))
    seen = MaskedTransformer(tiny_vit, MaskRule(layers=1)).see(_image())
    together = seen(_masks())
    alone = torch.cat([seen(mask[None]) for mask in _masks()])
    handle.remove()
    assert calls == [1]
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_mask_of_the_whole_image_without_subtraction_is_plain_clip(
    tower: str, tiny_clip: ClipEncoder
) -> None:
    encoder = segment_encoder(tiny_clip, "attention", MaskRule(layers=2, subtract=False))
    assert isinstance(encoder, MaskedPool if tower == "resnet" else MaskedTransformer)
    image = _image()
    resized = F.interpolate(image[None], (32, 32), mode="bicubic", align_corners=False, antialias=True)
    found = encoder.see(image)(torch.ones(1, 24, 32))
    assert torch.allclose(found, tiny_clip.embed_crops(resized.clamp(0, 1)), atol=1e-5)


def test_a_resnets_pool_is_masked_by_the_same_equations(tiny_resnet: ClipEncoder) -> None:
    rule = MaskRule()
    pool, seen = tiny_resnet.visual.attnpool, []
    handle = pool.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    tiny_resnet.visual(_square(_image(), tiny_resnet)[None])
    handle.remove()
    cells = seen[0].flatten(2)[0].T
    tokens = torch.cat([cells.mean(0, keepdim=True), cells]) + pool.positional_embedding
    mask = torch.cat([torch.ones(1), _area(_masks()[0], math.isqrt(len(cells)))])
    plain, masked = [], []
    for q, k, v in zip(
        *(p(tokens).chunk(pool.num_heads, -1) for p in (pool.q_proj, pool.k_proj, pool.v_proj)), strict=True
    ):
        exps = (q @ k.T / math.sqrt(q.shape[-1])).exp()
        plain.append(exps / exps.sum(1, keepdim=True) @ v)
        masked.append(exps * mask / (exps * mask).sum(1, keepdim=True) @ v)
    whole, part = torch.cat(plain, 1), torch.cat(masked, 1)
    saliency = F.cosine_similarity(whole, part, dim=1).mean()
    attended = part[0] - torch.exp(-((saliency + 1) ** 2) / 5) * whole[0]
    expected = F.normalize(pool.c_proj(attended), dim=0)
    found = MaskedPool(tiny_resnet, rule).see(_image())(_masks()[:1])
    assert torch.allclose(found[0], expected, atol=1e-5)


def test_masks_are_resized_by_area_stay_soft_and_leave_the_class_token_alone() -> None:
    mask = token_mask(_masks(), (4, 4), 1)
    assert mask.shape == (3, 17)
    assert torch.allclose(mask[:, 1:], torch.stack([_area(m, 4) for m in _masks()]))
    assert ((mask[:, 1:] > 0) & (mask[:, 1:] < 1)).any()
    assert (mask[:, 0] == 1).all()


def test_the_baseline_crops_the_box_and_blackens_what_is_outside(tiny_resnet: ClipEncoder) -> None:
    image, mask = _image(24, 32), torch.zeros(24, 32)
    mask[2:10, 3:19] = 1
    mask[2:5, 3:9] = 0
    seen: list[Tensor] = []
    watched: Callable[[Tensor], Tensor] = tiny_resnet.embed_crops

    class Watching:
        image_size = tiny_resnet.image_size

        def embed_crops(self, crops: Tensor) -> Tensor:
            seen.append(crops)
            return watched(crops)

    CropAndMask(Watching()).see(image)(mask[None])  # type: ignore[arg-type]
    box = (image * mask)[None, :, 2:10, 3:19]
    expected = F.interpolate(box, (32, 32), mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    assert torch.equal(seen[0], expected)
    assert (seen[0][0, :, :6, :6] < 1e-3).all()


@pytest.mark.parametrize("layers", [0, 3])
def test_layers_that_the_transformer_has_not_are_refused(tiny_vit: ClipEncoder, layers: int) -> None:
    with pytest.raises(ConfigError, match=f"{layers} masked layers, but .* has 2"):
        MaskedTransformer(tiny_vit, MaskRule(layers=layers))
