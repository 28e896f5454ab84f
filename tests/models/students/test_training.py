from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from maskmill.models.students.student import Student, StudentSpec
from maskmill.models.students.training import StudentTrainer, coarse_cross_entropy, learning_rate
from maskmill.models.students.trunk import ResNetSpec, ViTSpec
from maskmill.schemas.config import TrainConfig
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.labelmap import IGNORE

CONFIG = TrainConfig(steps=30, learning_rate=1e-2, trunk_rate=1.0, ema_decay=0.8, device="cpu")


def _student() -> Student:
    torch.manual_seed(0)
    trunk = ResNetSpec(layers=(1, 1, 1, 1), width=8)
    grey = (0.5, 0.5, 0.5)
    classes = ("background", "red")
    return Student(
        StudentSpec(
            name="t",
            classes=classes,
            short_side=32,
            min_confidence=0.0,
            mean=grey,
            std=grey,
            width=8,
            trunk=trunk,
        )
    )


def _batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Red rectangles on noise."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 3, 32, 32, generator=generator) * 0.5
    labels = torch.zeros(4, 32, 32, dtype=torch.int64)
    for i in range(4):
        top, left = (4 * torch.randint(0, 4, (2,), generator=generator)).tolist()
        images[i, 0, top : top + 16, left : left + 16] = 1.0
        labels[i, top : top + 16, left : left + 16] = 1
    return images, labels


def test_the_averaged_student_learns_to_segment() -> None:
    trainer = StudentTrainer(_student(), CONFIG)
    losses = [trainer.train_step(*_batch(step)) for step in range(CONFIG.steps)]
    assert trainer.averaged is not trainer.student
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    images, labels = _batch(10_000)
    found = trainer.averaged.eval()(images).argmax(1)
    both, either = ((found == 1) & (labels == 1)).sum(), ((found == 1) | (labels == 1)).sum()
    assert both / either > 0.5


def test_a_trainer_with_a_loaded_state_takes_the_very_same_steps() -> None:
    straight = StudentTrainer(_student(), CONFIG)
    expected = [straight.train_step(*_batch(step)) for step in range(6)]
    first = StudentTrainer(_student(), CONFIG)
    losses = [first.train_step(*_batch(step)) for step in range(3)]
    second = StudentTrainer(_student(), CONFIG)
    second.load_state_dict(first.state_dict())
    losses += [second.train_step(*_batch(step)) for step in range(3, 6)]
    assert losses == expected
    for mine, theirs in zip(
        second.averaged.state_dict().values(), straight.averaged.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_a_trunk_rate_of_zero_leaves_the_trunk_as_it_is() -> None:
    config = CONFIG.model_copy(update={"trunk_rate": 0.0})
    trainer = StudentTrainer(_student(), config)
    before = trainer.student.trunk.net.conv1.weight.clone()
    trainer.train_step(*_batch(0))
    assert torch.equal(trainer.student.trunk.net.conv1.weight, before)


def test_at_full_resolution_the_loss_is_plain_cross_entropy_over_judged_pixels() -> None:
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    labels[0, :2] = IGNORE
    expected = F.cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(coarse_cross_entropy(logits, labels), expected)


def test_a_cell_learns_the_label_of_its_centre() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[0, 2::4, 2::4] = 1
    sure = torch.tensor([-50.0, 50.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    assert coarse_cross_entropy(sure, labels) < 1e-6


def test_a_batch_with_nothing_to_learn_costs_nothing() -> None:
    logits = torch.randn(1, 2, 2, 2, requires_grad=True)
    loss = coarse_cross_entropy(logits, torch.full((1, 4, 4), IGNORE))
    loss.backward()
    assert loss == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_zero() -> None:
    config = TrainConfig(steps=100, learning_rate=1.0)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_a_crop_that_the_trunk_does_not_divide_is_refused() -> None:
    spec = _student().spec.model_copy(
        update={"trunk": ViTSpec(patch=14, grid=2, width=16, layers=1, heads=2, quick_gelu=False)}
    )
    with pytest.raises(ConfigError, match=r"crop 128 is no multiple of 14.*choose 224"):
        StudentTrainer(Student(spec), CONFIG)


def test_a_device_that_is_not_there_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="device"):
        StudentTrainer(_student(), CONFIG.model_copy(update={"device": "nowhere"}))
