"""The contrastive loss against a loop, the cone, and a training that learns something."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CLIP

from maskmill.models.clip_training import (
    ClipTrainingConfig,
    PairBatch,
    caption_contrastive_loss,
    cone_loss,
    open_cone,
    train_clip,
)


def _tiny_clip() -> CLIP:
    torch.manual_seed(3)
    vision = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64}
    text = {"context_length": 6, "vocab_size": 40, "width": 16, "heads": 2, "layers": 1}
    return CLIP(32, vision, text)


def _batch(generator: torch.Generator, size: int = 16) -> PairBatch:
    """Four colours, each with its own caption; 39 is the end token, the highest."""
    captions = torch.randint(4, (size,), generator=generator)
    colours = torch.tensor([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2], [1, 1, -2]])
    images = colours[captions, :, None, None] + 0.3 * torch.randn(size, 3, 32, 32, generator=generator)
    tokens = torch.tensor([[1, 10 + row, 39, 0, 0, 0] for row in range(4)])
    return PairBatch(images, tokens, captions)


def _loop_loss(image: torch.Tensor, text: torch.Tensor, captions: list[int], scale: float) -> float:
    count, total = len(captions), 0.0
    for rows, columns in ((image, text), (text, image)):
        for i in range(count):
            logits = [scale * float(rows[i] @ columns[j]) for j in range(count)]
            log_sum = math.log(sum(math.exp(value) for value in logits))
            positives = [j for j in range(count) if captions[j] == captions[i]]
            total += sum(log_sum - logits[j] for j in positives) / len(positives) / count / 2
    return total


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_loss_equals_a_loop_over_pairs(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    image, text = (
        F.normalize(torch.randn(9, 5, generator=generator, dtype=torch.float64), dim=1) for _ in "it"
    )
    captions = torch.randint(4, (9,), generator=generator)
    loss = caption_contrastive_loss(image, text, captions, 12.5)
    assert loss.dtype == torch.float64
    assert float(loss) == pytest.approx(_loop_loss(image, text, captions.tolist(), 12.5), rel=1e-12)


def test_different_captions_give_the_loss_of_clip() -> None:
    generator = torch.Generator().manual_seed(4)
    image, text = (F.normalize(torch.randn(6, 5, generator=generator), dim=1) for _ in "it")
    logits = 7.0 * image @ text.T
    clip = (F.cross_entropy(logits, torch.arange(6)) + F.cross_entropy(logits.T, torch.arange(6))) / 2
    torch.testing.assert_close(caption_contrastive_loss(image, text, torch.arange(6), 7.0), clip)


def test_cone_loss_counts_unlike_pairs_only() -> None:
    image = text = torch.eye(3)
    captions = torch.tensor([0, 1, 2])
    assert float(cone_loss(image, text, captions, 0.2)) == pytest.approx(0.04)
    same = torch.tensor([0, 0, 1])
    tilted = F.normalize(torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 1, 1]]), dim=1)
    assert float(cone_loss(tilted, tilted, same, 0.5)) == pytest.approx(0.0, abs=1e-12)


def test_open_cone_lifts_the_cosines_of_an_untrained_model() -> None:
    model, batch = _tiny_clip(), _batch(torch.Generator().manual_seed(0))
    open_cone(model, batch, 0.25)
    with torch.no_grad():
        cosines = (
            model.encode_image(batch.images, normalize=True)
            @ model.encode_text(batch.tokens, normalize=True).T
        )
    assert 0.1 < float(cosines.mean()) < 0.5
    assert float(cosines.min()) > 0


def test_twenty_steps_lower_the_loss_and_keep_the_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    config = ClipTrainingConfig(steps=20, warmup=2, logit_scale=20.0, bfloat16=False)
    model, seen = _tiny_clip(), []
    losses = train_clip(
        model, iter(lambda: _batch(generator), None), config, lambda step, _: seen.append(step)
    )
    assert seen == list(range(20))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert float(model.logit_scale.exp()) == pytest.approx(20.0)
    assert not model.training


def test_training_is_repeatable() -> None:
    config = ClipTrainingConfig(steps=3, warmup=1, bfloat16=False)
    runs = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(5)
        runs.append(train_clip(_tiny_clip(), iter(lambda g=generator: _batch(g), None), config))
    assert runs[0] == runs[1]
