"""ZeroCap against a slow version: whole contexts instead of caches, one beam and one token at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.zero_guidance.language_model import LanguageModel, load_language_model
from maskmill.models.zero_guidance.zerocap import Steering, ZeroCap, plain
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

STEERING = Steering(beams=3, tokens=4, steps=2, candidates=12)


@pytest.fixture(scope="module")
def model(tiny_gpt2: Path) -> LanguageModel:
    return load_language_model(str(tiny_gpt2), torch.device("cpu"))


@pytest.fixture
def target() -> Tensor:
    return F.normalize(torch.randn(12, generator=torch.Generator().manual_seed(0)), dim=0)


def _layer(block: Any, x: Tensor, past: tuple[Tensor, Tensor]) -> Tensor:
    """One GPT-2 block over one token (1, D) with (heads, n, d) keys and values before it."""
    query, key, value = block.attn.c_attn(block.ln_1(x)).split(16, dim=-1)
    heads = []
    for head in range(2):
        part = slice(head * 8, head * 8 + 8)
        keys, values = (torch.cat([p[head], new[:, part]]) for p, new in zip(past, (key, value), strict=True))
        heads.append((query[:, part] @ keys.T / 8**0.5).softmax(-1) @ values)
    x = x + block.attn.c_proj(torch.cat(heads, -1))
    return x + block.mlp(block.ln_2(x))


def _next_logits(gpt: Any, token: int, position: int, pasts: list[tuple[Tensor, Tensor]]) -> Tensor:
    x = gpt.transformer.wte.weight[token][None] + gpt.transformer.wpe.weight[position][None]
    for block, past in zip(gpt.transformer.h, pasts, strict=True):
        x = _layer(block, x, past)
    return (gpt.transformer.ln_f(x) @ gpt.transformer.wte.weight.T)[0]


def _pasts(gpt: Any, tokens: list[int]) -> list[tuple[Tensor, Tensor]]:
    """Return keys and values of whole contexts, by growing them token by token."""
    pasts = [(torch.zeros(2, 0, 8), torch.zeros(2, 0, 8)) for _ in gpt.transformer.h]
    for position, token in enumerate(tokens):
        x = gpt.transformer.wte.weight[token][None] + gpt.transformer.wpe.weight[position][None]
        grown = []
        for block, past in zip(gpt.transformer.h, pasts, strict=True):
            _, key, value = block.attn.c_attn(block.ln_1(x)).split(16, dim=-1)
            x = _layer(block, x, past)
            new = [torch.stack([part[:, h * 8 : h * 8 + 8] for h in range(2)]) for part in (key, value)]
            grown.append((torch.cat([past[0], new[0]], 1), torch.cat([past[1], new[1]], 1)))
        pasts = grown
    return pasts


def _embedded(clip: ClipEncoder, text: str) -> Tensor:
    return clip.embed_text(Vocabulary(name="t", classes=(VocabularyClass(name=text),), templates=("{}",)))


def _reference(
    gpt: Any, clip: ClipEncoder, model: LanguageModel, tokens: list[int], target: Tensor, position: int
) -> Tensor:
    """The steered distribution after one context, (V,)."""
    last, at = tokens[-1], len(tokens) - 1
    base = _pasts(gpt, tokens[:-1])
    own = _next_logits(gpt, last, at, base).softmax(0)
    delta = [(torch.zeros_like(k), torch.zeros_like(v)) for k, v in base]
    for _ in range(STEERING.steps):
        delta = [tuple(part.clone().requires_grad_(True) for part in pair) for pair in delta]
        shifted = [(k + dk, v + dv) for (k, v), (dk, dv) in zip(base, delta, strict=True)]
        p = _next_logits(gpt, last, at, shifted).softmax(0)
        top = p.topk(STEERING.candidates).indices.tolist()
        prefix = model.decode(torch.tensor(tokens))
        texts = torch.cat([_embedded(clip, prefix + model.token_text(t)) for t in top])
        wanted = (texts @ target / STEERING.temperature).softmax(0)
        clip_loss = -sum(w * p[t].log() for w, t in zip(wanted, top, strict=True))
        fluency = (p * (p.log() - own.log())).sum()
        (clip_loss + STEERING.fluency * fluency).backward()
        with torch.no_grad():
            delta = [
                tuple(
                    part - STEERING.step_size * part.grad / part.grad.norm() ** STEERING.norm_power
                    for part in pair
                )
                for pair in delta
            ]
    with torch.no_grad():
        shifted = [(k + dk, v + dv) for (k, v), (dk, dv) in zip(base, delta, strict=True)]
        logits = _next_logits(gpt, last, at, shifted)
        for token in range(len(logits)):
            text = model.token_text(token)
            factor = 1.0
            if text == ".":
                factor = 1.01 if position else 1 / 1.6
            elif not text.removeprefix(" ").replace("'", "").replace("-", "").isalpha() or not text.isascii():
                factor = 1 / 20
            logits[token] *= factor if logits[token] > 0 else 1 / factor
        mixed = logits.softmax(0) ** 0.99 * own**0.01
        return mixed / mixed.sum()


@pytest.mark.parametrize("position", [0, 2])
def test_the_next_token_is_steered_as_one_beam_after_another(
    tiny_vit: ClipEncoder, model: LanguageModel, target: Tensor, tiny_gpt2: Path, position: int
) -> None:
    from transformers import GPT2LMHeadModel

    gpt = GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval().requires_grad_(False)
    contexts = torch.stack([model.encode(text) for text in (" the cat", " the dog")])
    zerocap = ZeroCap(tiny_vit, model, STEERING)
    found = zerocap.next_probabilities(contexts, target, position)
    for row, tokens in zip(found, contexts.tolist(), strict=True):
        expected = _reference(gpt, tiny_vit, model, tokens, target, position)
        assert torch.allclose(row, expected, rtol=2e-3, atol=1e-6)
        own = model.logits(torch.tensor([tokens])).softmax(-1)[0]
        assert not torch.allclose(row, own, atol=1e-3)


def test_steps_lower_the_loss(tiny_vit: ClipEncoder, model: LanguageModel, target: Tensor) -> None:
    context = model.encode(" the cat")[None]
    own = model.logits(context).softmax(-1)
    losses = []
    for steps in (0, 2, 6):
        zerocap = ZeroCap(tiny_vit, model, Steering(steps=steps, candidates=12, step_size=0.05))
        logits = model.continued(context[:, -1:], zerocap.steered(context, own, target))
        losses.append(float(zerocap.losses(logits, own, context, target)))
    assert losses[0] > losses[1] > losses[2]


def _beams(zerocap: ZeroCap, model: LanguageModel, target: Tensor) -> list[str]:
    """Beam search with lists of (score, length, tokens), one context at a time."""
    beams = [(0.0, 0, model.encode("Image of a").tolist(), False)]
    start = len(beams[0][2])
    for position in range(STEERING.tokens):
        grown = []
        for score, length, tokens, stopped in beams:
            if stopped:
                grown.append((score, length, [*tokens, 0], True))
                continue
            p = zerocap.next_probabilities(torch.tensor([tokens]), target, position)[0].log().tolist()
            grown += [(score + p[t], length + 1, [*tokens, t], t == model.end_token) for t in range(len(p))]
        beams = sorted(grown, key=lambda beam: -beam[0] / beam[1])[: STEERING.beams]
    return [model.decode(torch.tensor(tokens[start : start + length])) for _, length, tokens, _ in beams]


def test_beams_are_those_of_a_search_over_lists(
    tiny_vit: ClipEncoder, model: LanguageModel, target: Tensor
) -> None:
    zerocap = ZeroCap(tiny_vit, model, STEERING)
    beams = zerocap.beams(target)
    assert beams == _beams(zerocap, model, target)
    assert len(set(beams)) == 3


def test_a_stopped_beam_ends_at_its_full_stop(
    tiny_vit: ClipEncoder, model: LanguageModel, target: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    zerocap = ZeroCap(tiny_vit, model, STEERING)
    word = next(t for t in range(300) if model.token_text(t) == " cat")

    def likely(context: Tensor, target: Tensor, position: int) -> Tensor:
        p = torch.full((len(context), len(model._texts)), 1e-6)
        p[:, word], p[:, model.end_token] = (0.9, 0.1) if position == 0 else (0.2, 0.8)
        return p

    monkeypatch.setattr(zerocap, "next_probabilities", likely)
    assert zerocap.beams(target)[0] == " cat."


def test_of_the_beams_the_text_nearest_to_the_target_is_taken(
    tiny_vit: ClipEncoder, model: LanguageModel, target: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    zerocap = ZeroCap(tiny_vit, model, STEERING)
    monkeypatch.setattr(zerocap, "beams", lambda target: [" Cat.", " dog.", " big Tree. ", "."])
    described = zerocap(target[None])[0]
    words = ["cat", "dog", "big tree"]
    prompts = Vocabulary.of(words).model_copy(update={"templates": ("Image of a {}.",)})
    cosines = (tiny_vit.embed_text(prompts)[1:] @ target).tolist()
    assert described.text == words[cosines.index(max(cosines))]
    assert float(described.embedding @ target) == pytest.approx(max(cosines), abs=1e-5)


def test_no_words_at_all_are_an_empty_text(
    tiny_vit: ClipEncoder, model: LanguageModel, target: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    zerocap = ZeroCap(tiny_vit, model, STEERING)
    monkeypatch.setattr(zerocap, "beams", lambda target: [".", " . "])
    assert zerocap(target[None])[0].text == ""


@pytest.mark.parametrize(("text", "label"), [(" Red Cat.", "red cat"), (".", ""), ("a.b ", "a b")])
def test_labels_are_lower_case_without_stops(text: str, label: str) -> None:
    assert plain(text) == label
