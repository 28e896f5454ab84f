"""Training of FOUND's head: towards FOUND-bkg masks at first, then towards its own predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from ..resizing import resize_short_side
from .bilateral import BilateralSolver
from .dense import DenseBackbone
from .found import BKG_THRESHOLD, background_masks
from .heads import FoundHead

_FLAT = 1e-4  # deviation below which a channel counts as constant


@dataclass(frozen=True)
class FoundTrainingConfig:
    """The recipe of FOUND (Sec. 3.2).

    With P the prediction, B its binarisation and R the bilateral refinement of B, the loss is
    ``refined_weight`` BCE(P, refined FOUND-bkg mask) before the iteration ``self_training_from``, and
    ``refined_weight`` BCE(P, R) + ``self_weight`` BCE(P, B) from there on. (The authors' code has BCE(P, R)
    in the first phase too. It is left out: it outweighs the mask and can confirm a head in its random start.)

    Args:
        iterations, batch, learning_rate, decay_every, decay: of AdamW, images per batch, and StepLR.
        accepted_iou: a refinement that agrees less with its mask is not used; the mask itself is.
        background_threshold: similarity above which a position is like the background seed.
        refresh: iterations for which an image's R is kept; 1 is the recipe, more is cheaper.
        standardise: train on channels of mean 0 and deviation 1 over the images, and fold both into the head.
            The head can express no more; the recipe's step size suits the keys of a transformer, and this
            makes it suit a ResNet's stages.
        short_side: images are resized to it; None leaves them.
        seed: of the head's start and the batches.
    """

    iterations: int = 500
    batch: int = 50
    learning_rate: float = 0.05
    decay_every: int = 50
    decay: float = 0.95
    self_training_from: int = 100
    refined_weight: float = 1.5
    self_weight: float = 4.0
    accepted_iou: float = 0.5
    background_threshold: float = BKG_THRESHOLD
    refresh: int = 1
    standardise: bool = False
    short_side: int | None = None
    seed: int = 0


@dataclass
class _Picture:
    """One image in training: features (D, h, w), FOUND-bkg target (h, w), and R (h, w) with its date."""

    features: Tensor
    solver: BilateralSolver
    size: tuple[int, int]
    background_target: Tensor
    refined: Tensor | None = None
    refined_at: int = 0


class FoundTrainer:
    """Trains a head on dense features that are computed once and kept in memory.

    Args:
        backbone: gives features and attention; it is not changed.
        images: (3, H, W) float RGB in [0, 1], sizes may differ; at least one.
        config: the recipe.

    Raises:
        ValueError: there is no image.
    """

    def __init__(
        self, backbone: DenseBackbone, images: Sequence[Tensor], config: FoundTrainingConfig
    ) -> None:
        if not images:
            raise ValueError("FOUND's head needs at least one image to learn from")
        self._backbone, self._config = backbone, config
        self._pictures = [self._prepare(resize_short_side(image, config.short_side)) for image in images]
        self._mean, self._deviation = torch.zeros(backbone.dim), torch.ones(backbone.dim)
        if config.standardise:
            self._standardise()
        generator = torch.Generator().manual_seed(config.seed)
        bound = backbone.dim**-0.5
        self._weight = torch.nn.Parameter((torch.rand(backbone.dim, generator=generator) * 2 - 1) * bound)
        self._bias = torch.nn.Parameter(torch.zeros(()))

    def train(self, watch: Callable[[int, float], None] | None = None) -> FoundHead:
        """Run all iterations and return the head; ``watch(iteration, loss)`` sees each one."""
        config = self._config
        optimiser = torch.optim.AdamW([self._weight, self._bias], lr=config.learning_rate)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, config.decay_every, config.decay)
        rng = np.random.default_rng(config.seed)
        batch = min(config.batch, len(self._pictures))
        for iteration in range(config.iterations):
            chosen = rng.choice(len(self._pictures), batch, replace=False)
            loss = torch.stack([self._loss(self._pictures[i], iteration) for i in chosen]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if watch is not None:
                watch(iteration, float(loss.detach()))
        weight = self._weight.detach() / self._deviation
        return FoundHead(weight, self._bias.detach() - (weight * self._mean).sum())

    def _standardise(self) -> None:
        """Standardise all features; keep the channels' mean and deviation (D,) for the head."""
        every = torch.cat([picture.features.flatten(1) for picture in self._pictures], dim=1)
        self._mean, self._deviation = every.mean(dim=1), every.std(dim=1).clamp(min=_FLAT)
        for picture in self._pictures:
            centred = picture.features - self._mean[:, None, None]
            picture.features = centred / self._deviation[:, None, None]

    def _loss(self, picture: _Picture, iteration: int) -> Tensor:
        config = self._config
        logits = torch.einsum("dhw,d->hw", picture.features, self._weight) + self._bias
        if iteration < config.self_training_from:
            return config.refined_weight * _bce(logits, picture.background_target)
        binary = (logits.detach() > 0).float()
        refined = self._own_refined(picture, binary, iteration)
        return config.refined_weight * _bce(logits, refined) + config.self_weight * _bce(logits, binary)

    def _own_refined(self, picture: _Picture, binary: Tensor, iteration: int) -> Tensor:
        if picture.refined is None or iteration - picture.refined_at >= self._config.refresh:
            picture.refined = self._refine(picture.solver, picture.size, binary)
            picture.refined_at = iteration
        return picture.refined

    def _prepare(self, image: Tensor) -> _Picture:
        dense = self._backbone(image[None])
        things = (~background_masks(dense, self._config.background_threshold)[0]).float().cpu()
        pixels = (image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
        solver, size = BilateralSolver(pixels), (pixels.shape[0], pixels.shape[1])
        return _Picture(dense.features[0].float().cpu(), solver, size, self._refine(solver, size, things))

    def _refine(self, solver: BilateralSolver, size: tuple[int, int], mask: Tensor) -> Tensor:
        """Refine a (h, w) mask at the image's size; keep it where it agrees with what came in."""
        full = self._to_pixels(mask, size)
        refined = binary_fill_holes(solver(full) > 0.5)
        if _iou(refined, full > 0.5) <= self._config.accepted_iou:
            return mask
        return self._to_cells(refined, mask)

    def _to_pixels(self, mask: Tensor, size: tuple[int, int]) -> NDArray[np.float64]:
        full = F.interpolate(mask[None, None], scale_factor=self._backbone.stride, mode="bilinear")
        return full[0, 0, : size[0], : size[1]].double().numpy()

    def _to_cells(self, refined: NDArray[np.bool_], like: Tensor) -> Tensor:
        """Return 1 for cells where bilinear resizing finds anything, as the authors' code does.

        Smoothing eats at small masks, and this gives it back; by majority, self-training lets them die out.
        """
        stride = self._backbone.stride
        padded = torch.zeros(like.shape[0] * stride, like.shape[1] * stride)
        padded[: refined.shape[0], : refined.shape[1]] = torch.from_numpy(refined).float()
        cells = F.interpolate(padded[None, None], tuple(like.shape), mode="bilinear", align_corners=False)
        return (cells[0, 0] > 0).float()


def train_found_head(
    backbone: DenseBackbone,
    images: Sequence[Tensor],
    config: FoundTrainingConfig,
    watch: Callable[[int, float], None] | None = None,
) -> tuple[FoundHead, list[float]]:
    """Train a head on images (see :class:`FoundTrainer`); return it and the loss of each iteration."""
    history: list[float] = []

    def note(iteration: int, loss: float) -> None:
        history.append(loss)
        if watch is not None:
            watch(iteration, loss)

    return FoundTrainer(backbone, images, config).train(note), history


def _bce(logits: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, target)


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0
