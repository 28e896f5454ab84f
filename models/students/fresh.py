"""A student at the start of its training."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...schemas.config import TrainConfig
from ..encoders.clip import load_clip
from .student import Student, StudentSpec
from .trunk import trunk_of


def new_student(classes: Sequence[str], config: TrainConfig) -> Student:
    """Return an untrained student on the trunk of ``config.encoder``; its decoder follows from
    ``config.seed``.

    Raises:
        WeightsError: the encoder is missing, or its image tower cannot be a trunk.
    """
    with torch.random.fork_rng(devices=[]):
        encoder = load_clip(config.encoder, "cpu")
        torch.manual_seed(config.seed)
        spec, trunk = trunk_of(encoder.model.visual)
        mean, std = (t.flatten().tolist() for t in (encoder.mean, encoder.std))
        student = StudentSpec(
            name=encoder.id.split("@")[0],
            classes=tuple(classes),
            short_side=config.short_side,
            min_confidence=config.min_confidence,
            mean=(mean[0], mean[1], mean[2]),
            std=(std[0], std[1], std[2]),
            width=config.decoder_width,
            trunk=spec,
        )
        return Student(student, trunk)
