from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CustomTextCLIP

from maskmill.models.encoders.text import TextTower

CPU = torch.device("cpu")
TOWER = {"image_size": 16, "layers": 1, "width": 8, "head_width": 8, "patch_size": 8}
TEXT: dict[str, Any] = {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
PROMPTS = ["a photo of a cat", "dog", "a low resolution photo of the dining table", "", "word " * 40]


def _clip(**text: Any) -> Any:
    return open_clip.CLIP(12, TOWER, {**TEXT, **text}, quick_gelu=True)


def _custom(**text: Any) -> Any:
    return CustomTextCLIP(12, TOWER, {**TEXT, **text})


CUT: dict[str, Callable[[], Any]] = {
    "clip": _clip,
    "clip, end token by id": lambda: _clip(pool_type="eos", eos_id=49407),
    "clip, no projection": lambda: _clip(proj_type="none"),
    "clip, linear projection": lambda: _clip(proj_bias=True),
    "custom text": _custom,
    "custom text, end token by id": lambda: _custom(pool_type="eos", eos_id=49407, ls_init_value=0.5),
    "custom text, other blocks": lambda: _custom(qk_norm=True, scale_fc=True),
}
WHOLE: dict[str, Callable[[], Any]] = {
    "not causal": lambda: _custom(no_causal_mask=True),
    "last token": lambda: _custom(pool_type="last"),
    "first token": lambda: _clip(pool_type="first"),
    "class token": lambda: _custom(embed_cls=True),
}


def _made(make: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    model = make().eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "positional" in name:
            torch.nn.init.normal_(parameter.data, 0.0, 0.5)
    return model


def _tokens(prompts: list[str]) -> torch.Tensor:
    return open_clip.get_tokenizer("ViT-B-32", context_length=20)(prompts)  # type: ignore[no-any-return]


def _lengths(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record how many tokens each pass through the first block of the text tower has."""
    seen: list[int] = []
    block = getattr(model, "text", model).transformer.resblocks[0]
    forward = block.forward

    def note(x: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
        seen.append(x.shape[1])
        return forward(x, *arguments, **named)  # type: ignore[no-any-return]

    monkeypatch.setattr(block, "forward", note)
    return seen


@pytest.mark.parametrize("kind", CUT)
def test_cut_prompts_embed_as_whole_ones(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _made(CUT[kind])
    tower, tokens = TextTower(model, CPU), _tokens(PROMPTS)
    with torch.no_grad():
        expected = F.normalize(model.encode_text(tokens), dim=-1)
    seen = _lengths(model, monkeypatch)
    assert tower.cuts
    torch.testing.assert_close(tower.encode(tokens), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(tower.encode(tokens[:2]), expected[:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(tower.encode(tokens[3:4]), expected[3:4], atol=1e-5, rtol=0)
    assert seen == [20, 7, 2]
    assert tower.ends(tokens).tolist() == [6, 2, 9, 1, 19]


@pytest.mark.parametrize("kind", WHOLE)
def test_a_tower_that_sees_padding_is_given_all_of_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _made(WHOLE[kind])
    tower, tokens = TextTower(model, CPU), _tokens(PROMPTS[:2])
    with torch.no_grad():
        expected = F.normalize(model.encode_text(tokens), dim=-1)
    seen = _lengths(model, monkeypatch)
    assert not tower.cuts
    torch.testing.assert_close(tower.encode(tokens), expected, atol=1e-6, rtol=0)
    assert seen[0] >= 20
    assert tower.ends(tokens).tolist() == [19, 19]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_float32_unit_vectors_close_by(dtype: torch.dtype) -> None:
    model, tokens = _made(_clip), _tokens(PROMPTS)
    exact, rough = TextTower(model, CPU).encode(tokens), TextTower(model, CPU, dtype).encode(tokens)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough.norm(dim=1), torch.ones(5))
    cosines = (exact * rough).sum(dim=1)
    assert 0.99 < float(cosines.min()) <= float(cosines.max()) < 1 + 1e-5
    assert not torch.equal(exact, rough)
