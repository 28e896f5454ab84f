"""The loop of a training, with checkpoints from which it continues."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from ..models.students.fresh import new_student
from ..models.students.training import StudentTrainer
from ..models.students.weights import save_student, student_id
from ..schemas.config import TrainConfig
from ..schemas.errors import StageError
from .progress import Progress
from .train_samples import DrawPlan, Samples, TrainingCrops

_CHECKPOINT_SECONDS = 20.0
_SAID_TIMES = 10


@dataclass(frozen=True)
class Fitted:
    """What came of a training.

    Args:
        losses: of every step.
        seconds: of training, over all calls that it took.
    """

    student_id: str
    sha256: str
    losses: list[float]
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """One file that holds all that the next step depends on; replaced in one step, so it is always whole.

    Args:
        identity: of the training; the file of another one is not continued.
    """

    path: Path
    identity: str

    def restore(self, trainer: StudentTrainer, say: Callable[[str], None]) -> tuple[list[float], float]:
        """Bring the trainer to where the file left it; return the losses and the seconds up to there.

        Raises:
            StageError: the file is damaged.
        """
        if not self.path.is_file():
            return [], 0.0
        try:
            state = torch.load(self.path, map_location=trainer.device, weights_only=True)
            if state["identity"] != self.identity:
                say(f"{self.path} is of another training and is replaced")
                return [], 0.0
            trainer.load_state_dict(state["trainer"])
        except (
            OSError,
            RuntimeError,
            ValueError,
            KeyError,
            TypeError,
            EOFError,
            pickle.UnpicklingError,
        ) as err:
            raise StageError(f"checkpoint {str(self.path)!r} is damaged, delete it: {err}") from err
        say(f"training continues after step {trainer.step}")
        return state["losses"], state["seconds"]

    def save(self, trainer: StudentTrainer, losses: list[float], seconds: float) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "identity": self.identity,
            "trainer": trainer.state_dict(),
            "losses": losses,
            "seconds": seconds,
        }
        draft = self.path.with_suffix(".part")
        torch.save(state, draft)
        draft.replace(self.path)


def train_student(
    classes: Sequence[str],
    dataset: Samples,
    config: TrainConfig,
    checkpoint: Checkpoint,
    weights: Path,
    progress: Progress,
) -> Fitted:
    """Train to the last step, from the checkpoint if there is one of the same training, and write the
    student.

    Raises:
        ConfigError, WeightsError: no such device, or the encoder is missing or unfit.
        StageError: the loss is not finite, or the checkpoint is damaged.
    """
    trainer = StudentTrainer(new_student(classes, config), config)
    losses, seconds = _fit(trainer, dataset, config, checkpoint, progress)
    digest = save_student(trainer.averaged, weights)
    checkpoint.path.unlink(missing_ok=True)
    return Fitted(student_id(trainer.averaged.spec.name, digest), digest, losses, seconds)


def _fit(
    trainer: StudentTrainer,
    dataset: Samples,
    config: TrainConfig,
    checkpoint: Checkpoint,
    progress: Progress,
) -> tuple[list[float], float]:
    losses, spent = checkpoint.restore(trainer, progress.say)
    began = saved = time.monotonic()
    loader: DataLoader[Any] = DataLoader(
        TrainingCrops(dataset, config),  # type: ignore[arg-type]  # a map from draws, not from indices
        batch_sampler=DrawPlan(len(dataset), config, trainer.step),
        num_workers=config.loader_workers,
        # A forked child inherits the threads' locks of deltalake and of torch, and hangs or dies on them.
        multiprocessing_context="spawn" if config.loader_workers else None,
        pin_memory=trainer.device.type == "cuda",
    )
    progress.start("train", config.steps - trainer.step, "steps")
    try:
        for images, labels in loader:
            losses.append(_finite(trainer.train_step(images, labels), trainer.step))
            if time.monotonic() - saved >= _CHECKPOINT_SECONDS:
                checkpoint.save(trainer, losses, spent + time.monotonic() - began)
                saved = time.monotonic()
            progress.advance(1)
            _say_loss(losses, config.steps, progress)
    finally:
        progress.finish()
    return losses, spent + time.monotonic() - began


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise StageError(f"the loss is {loss} at step {step}: choose a lower learning_rate")
    return loss


def _say_loss(losses: list[float], steps: int, progress: Progress) -> None:
    every = max(1, steps // _SAID_TIMES)
    if len(losses) % every == 0:
        mean = sum(losses[-every:]) / len(losses[-every:])
        progress.say(f"step {len(losses)} of {steps}: loss {mean:.3f}")
