"""Which masks a dataset is made of, and how it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypedDict

from pydantic import Field, field_validator, model_validator

from ...schemas.config import CorpusConfig, Frozen
from ...schemas.config_files import load_config
from ..splits import Split

OnError = Literal["raise", "skip"]
Check = Literal["first", "always", "never"]


class Options(TypedDict, total=False):
    """The keywords of a dataset: the fields of :class:`Selection`, which says what they mean."""

    run_id: str | None
    corpus: CorpusConfig | None
    classes: Sequence[str] | None
    min_score: float
    corrections: bool
    split: Split | None
    val_share: float
    split_seed: int
    background_weight: float
    on_error: OnError
    check: Check


class StreamOptions(Options, total=False):
    """The keywords of a stream: those of a dataset, and the fields of :class:`Reading`."""

    shuffle: bool
    seed: int
    shards_at_once: int
    rank: int | None
    world_size: int | None


class Selection(Frozen):
    """What a dataset takes of a catalog version.

    ``corpus`` is where the images lie now; by default where the run found them. ``classes`` are names in the
    order of their ids, background first; by default the background and the labels of the run by name, those
    of corrections among them. Masks with another label, and masks whose score is lower than ``min_score``,
    are ignored pixels.
    """

    run_id: str | None = Field(None, description="label run; default: the newest finished one in the version")
    corpus: CorpusConfig | None = None
    classes: tuple[str, ...] | None = Field(None, min_length=2)
    min_score: float = Field(0.0, ge=0, le=1)
    corrections: bool = Field(True, description="masks that people drew stand in for those of the run")
    split: Split | None = Field(None, description="only these images; default: all")
    val_share: float = Field(0.1, gt=0, lt=1, description="share of the images that is val")
    split_seed: int = Field(0, description="of the choice of these images")
    background_weight: float = Field(1.0, ge=0, description="weight of pixels that have no mask")
    on_error: OnError = Field("raise", description="what to do about an image that is gone or has changed")
    check: Check = Field(
        "first", description="when an image is held against its sha256: 0.1 ms for 100 kB on most processors"
    )

    @field_validator("classes")
    @classmethod
    def _names_are_distinct(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = sorted(name for name, number in Counter(names or ()).items() if number > 1)
        if twice:
            raise ValueError(f"{twice[0]!r} is there twice, and a class has one id")
        return names

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Build a selection from keywords.

        Raises:
            ConfigError: one does not fit; the text names it.
        """
        return load_config(cls, None, dict(options))


class Reading(Frozen):
    """In which order a stream goes through its images, and which of them are this process's.

    ``rank`` and ``world_size`` are by default those of ``torch.distributed`` where that is initialised when
    the stream is made, else of the variables RANK and WORLD_SIZE, else there is one process.
    """

    shuffle: bool = False
    seed: int = 0
    shards_at_once: int = Field(8, ge=1, description="shards whose images are mixed with each other")
    rank: int | None = Field(None, ge=0)
    world_size: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _rank_is_one_of_the_world(self) -> Self:
        if (self.rank is None) != (self.world_size is None):
            raise ValueError("rank and world_size go together")
        if self.rank is not None and self.world_size is not None and self.rank >= self.world_size:
            raise ValueError(f"rank {self.rank} of {self.world_size}: ranks count from 0")
        return self
