"""Eq. 1-4 in double precision, loop by loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from maskmill.models.encoders.vit import Qkv
from maskmill.models.zero_guidance.masked_attention import (
    MaskRule,
    Reading,
    output_saliency,
    segment_attention,
    subtraction_weight,
    weight_saliency,
)

HEADS, TOKENS, WIDTH = 2, 6, 3


def _qkv(segments: int, seed: int = 0) -> Qkv:
    generator = torch.Generator().manual_seed(seed)
    shape = (3, segments, HEADS, TOKENS, WIDTH)
    return Qkv(*torch.randn(shape, generator=generator, dtype=torch.float64))


def _masks() -> Tensor:
    soft = [1, 0.25, 0, 1, 0.5, 0]
    return torch.tensor([soft, [1, 0, 0, 0, 0, 1], [1] * TOKENS], dtype=torch.float64)


def _cosine(one: list[float], two: list[float]) -> float:
    inner = sum(a * b for a, b in zip(one, two, strict=True))
    return inner / math.sqrt(sum(a * a for a in one) * sum(b * b for b in two))


def _weights(query: Tensor, keys: Tensor, mask: list[float]) -> list[float]:
    exps = [math.exp(float(query @ key) / math.sqrt(WIDTH)) * m for key, m in zip(keys, mask, strict=True)]
    return [e / sum(exps) for e in exps]


def _reference(qkv: Qkv, mask: list[float], variance: float, reading: Reading) -> list[list[list[float]]]:
    """Return A_out[head][token] of one segment."""
    plain, masked = ([[[] for _ in range(TOKENS)] for _ in range(HEADS)] for _ in range(2))
    weights: list[float] = []
    for head in range(HEADS):
        query, keys, values = qkv.query[head], qkv.key[head], qkv.value[head]
        for i in range(TOKENS):
            p, m = _weights(query[i], keys, [1] * TOKENS), _weights(query[i], keys, mask)
            weights.append(_cosine(p, m))
            for kept, rows in ((p, plain), (m, masked)):
                rows[head][i] = [
                    sum(kept[j] * float(values[j, d]) for j in range(TOKENS)) for d in range(WIDTH)
                ]
    outputs = [
        _cosine([v for h in plain for v in h[i]], [v for h in masked for v in h[i]]) for i in range(TOKENS)
    ]
    chosen = outputs if reading == "paper" else weights
    w = math.exp(-((sum(chosen) / len(chosen) + 1) ** 2) / (2 * variance))
    return [
        [[masked[h][i][d] - w * plain[h][0][d] for d in range(WIDTH)] for i in range(TOKENS)]
        for h in range(HEADS)
    ]


@pytest.mark.parametrize("reading", ["paper", "released"])
@pytest.mark.parametrize("variance", [2.5, 0.7])
def test_segments_attend_as_the_equations_say(reading: Reading, variance: float) -> None:
    qkv, masks = _qkv(3), _masks()
    found = segment_attention(qkv, masks, MaskRule(variance=variance, reading=reading))
    for segment in range(3):
        own = Qkv(*(part[segment] for part in qkv))
        expected = _reference(own, masks[segment].tolist(), variance, reading)
        assert torch.allclose(found[segment], torch.tensor(expected, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("reading", ["paper", "released"])
def test_tokens_shared_by_all_segments_give_what_copies_give(reading: Reading) -> None:
    shared, rule = _qkv(1), MaskRule(reading=reading)
    copies = Qkv(*(part.expand(3, -1, -1, -1).clone() for part in shared))
    assert torch.allclose(
        segment_attention(shared, _masks(), rule), segment_attention(copies, _masks(), rule), atol=1e-12
    )


def test_without_subtraction_masked_attention_is_left() -> None:
    qkv = _qkv(1)
    found = segment_attention(qkv, _masks()[1:2], MaskRule(subtract=False))
    logits = (qkv.query @ qkv.key[:, :, [0, 5]].mT) / math.sqrt(WIDTH)
    assert torch.allclose(found, logits.softmax(-1) @ qkv.value[:, :, [0, 5]], atol=1e-12)


def test_the_two_readings_of_saliency_differ_and_agree_that_the_whole_image_is_salient() -> None:
    qkv, masks = _qkv(3), _masks()
    plain = torch.nn.functional.scaled_dot_product_attention(*qkv)
    masked = segment_attention(qkv, masks, MaskRule(subtract=False))
    outputs, weights = output_saliency(plain, masked), weight_saliency(qkv, masks)
    assert not torch.allclose(outputs[:2], weights[:2], atol=1e-3)
    assert torch.allclose(torch.stack([outputs[2], weights[2]]), torch.ones(2).double())


def test_the_weight_falls_with_saliency() -> None:
    weights = subtraction_weight(torch.tensor([-1.0, 0.0, 1.0]), 2.5)
    assert weights.tolist() == pytest.approx([1, math.exp(-0.2), math.exp(-0.8)])
