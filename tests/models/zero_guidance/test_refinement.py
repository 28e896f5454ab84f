from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskmill.models.zero_guidance.bilateral_grid import BilateralGrid
from maskmill.models.zero_guidance.refinement import Crf, kernels_of, refine


def _scene(height: int = 24, width: int = 30, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy patches of colour and which patch a pixel is of."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.int64)
    truth[:, width // 2 :] = 1
    truth[height // 2 :, : width // 3] = 2
    colours = np.array([[200, 60, 60], [60, 180, 90], [70, 80, 200]])
    return np.clip(colours[truth] + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8), truth


def _dense_kernel(image: NDArray[np.uint8], place: float, colour: float | None) -> NDArray[np.float64]:
    """exp(-|f_i - f_j|^2 / 2) of every pair of pixels, symmetrically normalised."""
    points = np.mgrid[: image.shape[0], : image.shape[1]].reshape(2, -1).T / place
    if colour:
        points = np.concatenate([points, image.reshape(-1, 3) / colour], axis=1)
    kernel = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1) / 2)
    scale = 1 / np.sqrt(kernel.sum(1))
    return kernel * scale[:, None] * scale


def _dense_labels(unary: NDArray[np.float64], image: NDArray[np.uint8], crf: Crf) -> NDArray[np.int64]:
    """Mean field over all pairs, label by label."""
    smooth = _dense_kernel(image, crf.smooth_sigma, None)
    bilateral = _dense_kernel(image, crf.bilateral_sigma, crf.colour_sigma)
    energy = unary.reshape(len(unary), -1)
    belief = np.exp(-energy) / np.exp(-energy).sum(0)
    for _ in range(crf.steps):
        logits = np.empty_like(energy)
        for label in range(len(energy)):
            message = crf.smooth_weight * smooth @ belief[label]
            logits[label] = message + crf.bilateral_weight * bilateral @ belief[label] - energy[label]
        exps = np.exp(logits - logits.max(0))
        belief = exps / exps.sum(0)
    return belief.argmax(0).reshape(image.shape[:2])


def _unary(truth: NDArray[np.int64], seed: int = 0) -> NDArray[np.float64]:
    """Return energies that prefer the truth, coarse and noisy."""
    rng = np.random.default_rng(seed)
    coarse = np.roll(truth, (2, -2), (0, 1))[::3, ::3].repeat(3, 0).repeat(3, 1)
    energies = np.stack([(coarse != label) * 0.3 for label in range(3)])
    return energies + rng.uniform(0, 0.25, energies.shape)


def test_the_mean_field_is_that_of_all_pairs() -> None:
    image, truth = _scene()
    crf = Crf(smooth_weight=3, bilateral_weight=10)
    found, expected = refine(_unary(truth), image, crf), _dense_labels(_unary(truth), image, crf)
    assert (found == expected).mean() > 0.97


def test_the_smooth_kernel_is_exact_and_the_bilateral_one_near() -> None:
    image, truth = _scene()
    maps = np.stack([truth == label for label in range(3)]).astype(np.float32)
    (_, smooth), (_, bilateral) = kernels_of(image, Crf())
    flat = maps.reshape(3, -1)
    exact = (_dense_kernel(image, 1, None) @ flat.T).T.reshape(maps.shape)
    assert np.allclose(smooth(maps), exact, atol=2e-3)
    exact = (_dense_kernel(image, 5, 13) @ flat.T).T.reshape(maps.shape)
    assert np.corrcoef(bilateral(maps).ravel(), exact.ravel())[0, 1] > 0.98
    assert np.abs(bilateral(maps) - exact).mean() < 0.05


def test_all_labels_at_once_are_filtered_as_one_by_one() -> None:
    image, truth = _scene()
    for _, kernel in kernels_of(image, Crf()):
        maps = _unary(truth).astype(np.float32)
        alone = np.concatenate([kernel(one[None]) for one in maps])
        assert np.allclose(kernel(maps), alone, atol=1e-6)


def test_labels_follow_the_images_edges() -> None:
    image, truth = _scene()
    before = _unary(truth).argmin(0)
    after = refine(_unary(truth), image, Crf())
    assert (after == truth).mean() > max(0.95, (before == truth).mean())


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1)])
def test_images_of_a_pixel_or_a_row_are_taken(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    unary = np.stack([np.full(size, 0.4), np.full(size, 0.1)])
    assert (refine(unary, image, Crf()) == 1).all()
    assert (refine(unary[:1], image, Crf()) == 0).all()


def test_the_grid_is_symmetric_and_keeps_far_points_apart() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 30])
    kernel = BilateralGrid(points)(np.eye(40, dtype=np.float32))
    exact = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1) / 2)
    assert (kernel[:20, 20:] == 0).all()
    inside = slice(0, 20)
    assert np.corrcoef(kernel[inside, inside].ravel(), exact[inside, inside].ravel())[0, 1] > 0.95
