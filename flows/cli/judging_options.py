"""Options of the command that evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from .options import Flag


@Parameter(name="*")
@dataclass(frozen=True)
class JudgingOptions:
    """By what is judged.

    Parameters
    ----------
    protocol
        `known`, `clip-diy`, `groupvit`, `ovsegmentor`, `tcl`, `sclip`; with another background rule as
        FAMILY/bg=class, FAMILY/bg=0.95 or FAMILY/bg=class+0.1. `zero-guidance` judges segments that name
        themselves, `grouping` segments without names.
    vocabulary
        Vocabulary that judges: a name, NAME:WORDING or a file; default: the dataset's own, worded as the
        protocol's authors do.
    split
        Of LAYOUT:PATH, e.g. `train`; default: the one that papers report.
    ground_truth
        Folder of index PNGs; default: what the dataset holds itself.
    unknown
        Classes whose mIoU is told apart, e.g. `cow,motorbike`; adds the harmonic mean of both.
    boundary
        Measure the boundary F as well.
    sentence_encoder
        By which `zero-guidance` compares texts with classes: a sentence-transformers model on the hub, or
        its folder.
    """

    protocol: str | None = None
    vocabulary: str | None = None
    split: str | None = None
    ground_truth: str | None = None
    unknown: str | None = None
    boundary: Annotated[bool, Flag] = False
    sentence_encoder: str | None = None

    def overrides(self) -> dict[str, Any]:
        """Return them as configuration fields."""
        unknown = [name.strip() for name in self.unknown.split(",")] if self.unknown else None
        return {
            "protocol": self.protocol,
            "vocabulary": self.vocabulary,
            "split": self.split,
            "ground_truth": self.ground_truth,
            "unknown": unknown,
            "sentence_encoder": self.sentence_encoder,
            "boundary": True if self.boundary else None,
        }
