"""Contrastive training of a CLIP small enough to ship, pure torch over open_clip's own network.

The loss is the symmetric contrastive loss of CLIP (Radford et al. 2021, Fig. 3) with the targets of UniCL
(Yang et al. 2022, Eq. 2-3): pairs whose captions are the same text are positives of each other, because in
a small world many pictures share a caption. Two things are fixed instead of learnt: the logit scale, which
CLIP only clamps, and the level of the cosines, the cone in which CLIP's larger towers settle by themselves
(Liang et al. 2022). CLIP-DIY (Eq. 4) multiplies cosines by objectness without a logit scale, so it needs
them positive and alike in level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipTrainingConfig:
    """How a small CLIP is trained.

    Args:
        steps: optimiser steps.
        learning_rate: peak of AdamW's, after a linear warm-up and before a cosine to zero.
        weight_decay: of matrices and kernels; gains, biases and embeddings have none.
        logit_scale: factor on the cosines in the loss, 1 / temperature; stored with the weights.
        cone: mean cosine of an image and a text that do not belong together.
        cone_weight: weight of the squared distance to ``cone`` in the loss.
        bfloat16: run the image tower under autocast (about 1.7 times faster on a CPU with AVX512-BF16).
    """

    steps: int = 2000
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: int = 80
    logit_scale: float = 80.0
    cone: float = 0.2
    cone_weight: float = 50.0
    bfloat16: bool = True


@dataclass(frozen=True)
class PairBatch:
    """B pictures and the text of each.

    ``images`` (B, 3, S, S) float32, normalised as CLIP's; ``tokens`` (U, L) int64, one row for each different
    caption; ``captions`` (B,) int64, the row of each picture's caption.
    """

    images: Tensor
    tokens: Tensor
    captions: Tensor


def caption_contrastive_loss(image: Tensor, text: Tensor, captions: Tensor, logit_scale: float) -> Tensor:
    """Return the symmetric contrastive loss in which equal captions are positives of each other.

    Args:
        image: (B, D) unit vectors.
        text: (B, D) unit vectors, the caption of each image.
        captions: (B,) int64; equal numbers mean equal captions.
        logit_scale: factor on the cosines.

    Returns:
        Scalar, mean over images and over texts of the cross entropy with uniform targets over the positives.
    """
    logits = logit_scale * image @ text.T
    same = (captions[:, None] == captions[None, :]).to(logits.dtype)
    targets = same / same.sum(dim=1, keepdim=True)
    # `same` is symmetric, so both directions have the same targets.
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def cone_loss(image: Tensor, text: Tensor, captions: Tensor, cone: float) -> Tensor:
    """Return the squared distance of the mean cosine of unlike pairs from ``cone``; arguments as above."""
    unlike = captions[:, None] != captions[None, :]
    return ((image @ text.T)[unlike].mean() - cone) ** 2


def open_cone(model: CLIP, batch: PairBatch, level: float) -> None:
    """Shift both towers along one direction, in place, until unlike pairs have about the cosine ``level``.

    With orthogonal residuals a common part of squared share ``level`` in either tower gives that cosine; the
    image tower gets it in the attention pool's output bias, the text tower in the last norm's bias.
    """
    projection = model.text_projection.detach()
    direction = projection[0] / projection[0].norm()
    lift = math.sqrt(level / (1 - level))
    model.eval()
    with torch.no_grad():
        image = model.encode_image(batch.images) - model.visual.attnpool.c_proj.bias
        text = model.encode_text(batch.tokens)
        model.visual.attnpool.c_proj.bias.copy_(
            lift * image.std(dim=0).norm() * direction - image.mean(dim=0)
        )
        wanted = lift * text.std(dim=0).norm() * direction - text.mean(dim=0)
        model.ln_final.bias.add_(torch.linalg.lstsq(projection.T, wanted[:, None]).solution[:, 0])


def train_clip(
    model: CLIP,
    batches: Iterator[PairBatch],
    config: ClipTrainingConfig,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train ``model`` in place for ``config.steps`` batches and return the contrastive loss of each step.

    ``on_step`` is told every step's number and loss. The model is left in evaluation mode.
    """
    first = next(batches)
    # Training spreads the embeddings, which lowers the level: it starts above the cone and comes down to it.
    open_cone(model, first, math.sqrt(config.cone))
    with torch.no_grad():
        model.logit_scale.fill_(math.log(config.logit_scale))
    model.logit_scale.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        _groups(model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, config))
    model.train()
    losses: list[float] = []
    for step in range(config.steps):
        losses.append(_step(model, first if step == 0 else next(batches), config, optimizer))
        schedule.step()
        if on_step is not None:
            on_step(step, losses[-1])
    model.eval()
    return losses


def _step(
    model: CLIP, batch: PairBatch, config: ClipTrainingConfig, optimizer: torch.optim.Optimizer
) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
        pooled = model.encode_image(batch.images.contiguous(memory_format=torch.channels_last))
    image = F.normalize(pooled.float(), dim=-1)
    text = F.normalize(model.encode_text(batch.tokens), dim=-1)[batch.captions]
    loss = caption_contrastive_loss(image, text, batch.captions, config.logit_scale)
    level = cone_loss(image, text, batch.captions, config.cone)
    optimizer.zero_grad()
    (loss + config.cone_weight * level).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def _rate(step: int, config: ClipTrainingConfig) -> float:
    if step < config.warmup:
        return (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    decayed: list[Tensor] = []
    plain: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (plain if parameter.ndim < 2 or "embedding" in name else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
