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
    encoder = load_clip(config.encoder, "cpu")
    red, green, blue = range(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        spec, trunk = trunk_of(encoder.model.visual)  # type: ignore[arg-type]
        mean, std = (t.flatten().tolist() for t in (encoder.mean, encoder.std))
        student = StudentSpec(
            name=encoder.id.split("@")[0],
            classes=tuple(classes),
            short_side=config.short_side,
            mean=(mean[red], mean[green], mean[blue]),
            std=(std[red], std[green], std[blue]),
            width=config.decoder_width,
            trunk=spec,
        )
        return Student(student, trunk)
