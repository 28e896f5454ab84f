from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.objectness.bilateral import SIGMA_CHROMA, SIGMA_LUMA, SIGMA_SPATIAL
from maskmill.models.objectness.dense import DenseFeatures
from maskmill.models.objectness.found import FoundObjectness
from maskmill.models.objectness.training import FoundTrainer, FoundTrainingConfig, train_found_head
from maskmill.schemas.config import ObjectnessConfig

SHORT = FoundTrainingConfig(iterations=50, batch=4, self_training_from=30, refresh=5)


class Colours:
    """Mean colours of 4 x 4 cells through a fixed random map; attention is low where green is high."""

    id, stride, dim = "colours", 4, 16

    def __init__(self) -> None:
        self.calls = 0
        self._map = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))

    def __call__(self, images: Tensor) -> DenseFeatures:
        self.calls += 1
        height, width = images.shape[-2:]
        cells = F.avg_pool2d(F.pad(images, (0, -width % 4, 0, -height % 4)), 4)
        features = torch.einsum("fc,bchw->bfhw", self._map, cells - 0.5)
        return DenseFeatures(features, (1.5 - cells[:, 1:2]))


def _scene(seed: int) -> tuple[Tensor, Tensor]:
    """Return a green meadow with a red or blue thing, and where the thing is."""
    generator = torch.Generator().manual_seed(seed)
    height, width = 40 + seed % 5, 52 + seed % 7
    image = torch.rand(3, height, width, generator=generator) * 0.15
    image[1] += 0.75
    mask = torch.zeros(height, width)
    top, left = (int(torch.randint(2, 14, (1,), generator=generator)) for _ in range(2))
    mask[top : top + 20, left : left + 24] = 1
    colour = torch.tensor([0.9, 0.1, 0.1] if seed % 2 else [0.1, 0.1, 0.9]).view(3, 1, 1)
    return torch.where(mask.bool(), colour, image), mask


def _iou(one: Tensor, other: Tensor) -> float:
    return float((one.bool() & other.bool()).sum() / (one.bool() | other.bool()).sum())


def test_a_head_learns_the_planted_foreground_of_images_it_has_not_seen() -> None:
    head, history = train_found_head(Colours(), [_scene(n)[0] for n in range(8)], SHORT)
    found = FoundObjectness(Colours(), head)
    scores = [_iou(found(image) > 0.5, mask) for image, mask in (_scene(n) for n in range(100, 106))]
    assert min(scores) > 0.75
    assert len(history) == 50
    assert sum(history[25:30]) < 0.5 * sum(history[:5])


def test_the_same_seed_gives_the_same_head_and_another_seed_another() -> None:
    images = [_scene(n)[0] for n in range(6)]
    config = replace(SHORT, iterations=12, self_training_from=8)
    (one, first), (two, second) = (train_found_head(Colours(), images, config) for _ in range(2))
    assert torch.equal(one.weight, two.weight)
    assert first == second
    assert not torch.equal(one.weight, train_found_head(Colours(), images, replace(config, seed=1))[0].weight)


class Unscaled(Colours):
    """Channels of very different means and sizes, and one that is constant."""

    def __call__(self, images: Tensor) -> DenseFeatures:
        dense = super().__call__(images)
        size, mean = (t.view(16, 1, 1) for t in (torch.logspace(-2, 2, 16), torch.arange(16.0)))
        features = dense.features * size + mean
        features[:, 3] = 7.0
        return DenseFeatures(features, dense.attention)


def test_standardising_lets_channels_of_any_size_be_learnt_and_is_folded_into_the_head() -> None:
    """FOUND-bkg needs its angles, so the masks are those of the unspoilt features."""
    trainer = FoundTrainer(Unscaled(), [_scene(n)[0] for n in range(8)], replace(SHORT, standardise=True))
    for picture, clean in zip(trainer._pictures, (_scene(n)[0] for n in range(8)), strict=True):
        picture.background_target = FoundTrainer(Colours(), [clean], SHORT)._pictures[0].background_target
    found = FoundObjectness(Unscaled(), trainer.train())
    scores = [_iou(found(image) > 0.5, mask) for image, mask in (_scene(n) for n in range(100, 106))]
    assert min(scores) > 0.75


def test_features_are_computed_once_for_each_image_and_not_changed() -> None:
    backbone = Colours()
    train_found_head(backbone, [_scene(n)[0] for n in range(3)], replace(SHORT, iterations=10))
    assert backbone.calls == 3


@pytest.mark.parametrize("self_training", [False, True])
def test_the_loss_is_that_of_the_recipe(self_training: bool) -> None:
    """The first loss, from the head's own start, with either phase coming first."""
    config = replace(SHORT, iterations=1, self_training_from=0 if self_training else 60)
    trainer = FoundTrainer(Colours(), [_scene(1)[0]], config)
    picture = trainer._pictures[0]
    logits = torch.einsum("dhw,d->hw", picture.features, trainer._weight.detach())
    binary = (logits > 0).float()
    refined = trainer._refine(picture.solver, picture.size, binary)
    bce = F.binary_cross_entropy_with_logits
    expected = 1.5 * bce(logits, picture.background_target)
    if self_training:
        expected = 1.5 * bce(logits, refined) + 4.0 * bce(logits, binary)
    losses: list[float] = []
    trainer.train(lambda iteration, loss: losses.append(loss))
    assert losses == [pytest.approx(float(expected), rel=1e-5)]


def test_a_refinement_that_disagrees_is_not_used() -> None:
    image, _ = _scene(1)
    trainer = FoundTrainer(Colours(), [image], replace(SHORT, accepted_iou=0.99))
    picture = trainer._pictures[0]
    scattered = (torch.rand(picture.features.shape[-2:]) > 0.8).float()
    assert trainer._refine(picture.solver, picture.size, scattered) is scattered


def test_an_empty_mask_stays_empty() -> None:
    image, _ = _scene(1)
    trainer = FoundTrainer(Colours(), [image], SHORT)
    picture = trainer._pictures[0]
    empty = torch.zeros(picture.features.shape[-2:])
    assert trainer._refine(picture.solver, picture.size, empty).sum() == 0


def test_refinements_are_kept_for_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = FoundTrainer(
        Colours(), [_scene(1)[0]], replace(SHORT, iterations=12, self_training_from=0, refresh=5)
    )
    solved = []
    refine = trainer._refine
    monkeypatch.setattr(trainer, "_refine", lambda *args: solved.append(1) or refine(*args))
    trainer.train()
    assert len(solved) == 3


def test_images_are_resized_to_the_short_side_that_is_asked_for() -> None:
    trainer = FoundTrainer(Colours(), [_scene(0)[0]], replace(SHORT, short_side=20))
    assert trainer._pictures[0].size == (20, 26)


def test_no_image_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        FoundTrainer(Colours(), [], SHORT)


def test_the_defaults_are_the_authors_recipe() -> None:
    recipe = asdict(FoundTrainingConfig())
    published = {
        "iterations": 500,
        "batch": 50,
        "learning_rate": 0.05,
        "decay_every": 50,
        "decay": 0.95,
        "self_training_from": 100,
        "refined_weight": 1.5,
        "self_weight": 4.0,
        "accepted_iou": 0.5,
        "background_threshold": 0.3,
        "refresh": 1,
        "standardise": False,
        "short_side": None,
    }
    assert {name: recipe[name] for name in published} == published
    assert (SIGMA_SPATIAL, SIGMA_LUMA, SIGMA_CHROMA) == (16, 16, 8)
    config = ObjectnessConfig()
    assert config.backbone == "timm:vit_small_patch8_224.dino"
    shared = set(published) & set(ObjectnessConfig.model_fields)
    assert {name: getattr(config, name) for name in shared} == {name: published[name] for name in shared}


def test_the_learning_rate_falls_by_a_factor_every_so_many_iterations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def noted(self: torch.optim.AdamW) -> None:
        rates.append(self.param_groups[0]["lr"])
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    config = replace(SHORT, iterations=5, learning_rate=0.8, decay_every=2, decay=0.5)
    train_found_head(Colours(), [_scene(1)[0]], config)
    assert rates == [0.8, 0.8, 0.4, 0.4, 0.2]
