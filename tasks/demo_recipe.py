"""The recipe of the shipped weights: the networks, the pictures, the training and the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..models.clip_training import ClipTrainingConfig
from ..models.objectness.training import FoundTrainingConfig
from ..schemas.errors import ConfigError

MODEL: Final[dict[str, Any]] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 64, "layers": [1, 2, 4, 1], "width": 16, "head_width": 64},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}

# FOUND's recipe but for what a ResNet's stages need: a higher similarity to the background seed, because
# features after a ReLU are all alike to some degree, and standardised channels with a smaller step.
_HEAD: Final = FoundTrainingConfig(
    learning_rate=0.01,
    background_threshold=0.5,
    refresh=25,
    standardise=True,
    short_side=448,
)


@dataclass(frozen=True)
class DemoWeightsConfig:
    """What the demo weights are trained on and how; the defaults made the shipped ones.

    Args:
        seed: of the drawings and the batches, at least 1000: lower ones belong to the demo corpus.
        start_seed: of the network's start.
        pictures: kind -> how many are drawn for CLIP.
        picture_side: their side, px.
        head_scenes: scenes drawn for the head.
        head_layer: stages of CLIP's image tower that the head reads.
        judged: close-ups and backgrounds drawn to judge CLIP by; a tenth as many scenes.
        workers: processes that draw; changes nothing but the time.
        threads: torch threads; where others use the cores too, two are slower than one.
    """

    seed: int = 1000
    start_seed: int = 0
    pictures: Mapping[str, int] = field(
        default_factory=lambda: {"closeup": 24_000, "background": 8_000, "scene": 8_000}
    )
    picture_side: int = 112
    batch_size: int = 256
    clip: ClipTrainingConfig = field(default_factory=ClipTrainingConfig)
    head_scenes: int = 150
    head_layer: str = "layer2+layer3+layer4"
    head: FoundTrainingConfig = field(default_factory=lambda: _HEAD)
    judged: int = 1_000
    workers: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        if self.seed < 1000:
            raise ConfigError(
                f"seed {self.seed} may draw pictures of the demo corpus: choose one from 1000 on"
            )

    def shortened(self, share: float) -> DemoWeightsConfig:
        """Return the same with only a share of all pictures and steps, to try the stage out.

        Raises:
            ConfigError: the share is not in (0, 1].
        """
        if not 0 < share <= 1:
            raise ConfigError(f"share {share} is not above 0 and at most 1")
        return replace(
            self,
            pictures={kind: _part(count, share) for kind, count in self.pictures.items()},
            clip=replace(self.clip, steps=_part(self.clip.steps, share)),
            head_scenes=_part(self.head_scenes, share),
            head=replace(
                self.head,
                iterations=_part(self.head.iterations, share),
                self_training_from=_part(self.head.self_training_from, share),
            ),
            judged=_part(self.judged, share),
        )


def _part(count: int, share: float) -> int:
    return max(1, round(count * share))
