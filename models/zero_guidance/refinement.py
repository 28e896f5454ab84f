"""Refinement of a label map by a fully connected conditional random field (Kraehenbuehl and Koltun 2011)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import softmax

from .bilateral_grid import BilateralGrid

Kernel = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Crf:
    """Weights and widths of the two kernels, which the paper names; the numbers are of the authors' code.

    Args:
        smooth_weight: weight of the Gaussian over place.
        smooth_sigma: its standard deviation, pixels.
        bilateral_weight: weight of the Gaussian over place and colour.
        bilateral_sigma: its standard deviation in place, pixels.
        colour_sigma: its standard deviation in each of R, G and B, levels of 256.
        steps: mean-field updates.
    """

    smooth_weight: float = 25.0
    smooth_sigma: float = 1.0
    bilateral_weight: float = 100.0
    bilateral_sigma: float = 5.0
    colour_sigma: float = 13.0
    steps: int = 10


AUTHORS_CRF = Crf()


def refine(unary: NDArray[np.floating], image: NDArray[np.uint8], crf: Crf) -> NDArray[np.int64]:
    """Return the (h, w) labels of the mean field, all segments in one field.

    The model is Potts with symmetrically normalised kernels, D^-1/2 K D^-1/2 with D = K 1, as in the library
    that the authors use. A step is Q_l <- softmax_l(-U_l + sum_m w_m K_m Q_l). The bilateral kernel is that
    of :class:`BilateralGrid`, an approximation as the permutohedral lattice of that library is one; the other
    is exact. Every label passes through the same linear filters, so they take all labels as one matrix.

    Args:
        unary: (L, h, w) energies U, e.g. distances to the L segments' means.
        image: (h, w, 3) uint8 RGB of the same size.
        crf: weights and widths.
    """
    if len(unary) == 1:
        return np.zeros(unary.shape[1:], np.int64)
    energy = unary.astype(np.float32)
    kernels = kernels_of(image, crf)
    belief = softmax(-energy, axis=0)
    for _ in range(crf.steps):
        messages = sum(weight * kernel(belief) for weight, kernel in kernels)
        belief = softmax(messages - energy, axis=0)
    return belief.argmax(axis=0)


def kernels_of(image: NDArray[np.uint8], crf: Crf) -> list[tuple[float, Kernel]]:
    """Return weight and symmetrically normalised filter of both kernels, on (L, h, w) float32 maps."""

    def smooth(maps: NDArray[np.float32]) -> NDArray[np.float32]:
        blurred = gaussian_filter(maps, crf.smooth_sigma, mode="constant", axes=(1, 2))
        return np.asarray(blurred, np.float32)

    grid = BilateralGrid(_coordinates(image, crf))
    shape = image.shape[:2]

    def bilateral(maps: NDArray[np.float32]) -> NDArray[np.float32]:
        return grid(maps.reshape(len(maps), -1)).reshape(len(maps), *shape)

    return [
        (crf.smooth_weight, _normalised(smooth, shape)),
        (crf.bilateral_weight, _normalised(bilateral, shape)),
    ]


def _coordinates(image: NDArray[np.uint8], crf: Crf) -> NDArray[np.float64]:
    """Return place and colour of every pixel in standard deviations, (h * w, 5)."""
    place = np.mgrid[: image.shape[0], : image.shape[1]].reshape(2, -1).T / crf.bilateral_sigma
    return np.concatenate([place, image.reshape(-1, 3) / crf.colour_sigma], axis=1)


def _normalised(kernel: Kernel, shape: tuple[int, ...]) -> Kernel:
    mass = kernel(np.ones((1, *shape), np.float32))
    scale: NDArray[np.float32] = (1 / np.sqrt(np.maximum(mass, 1e-20))).astype(np.float32)

    def normalised(maps: NDArray[np.float32]) -> NDArray[np.float32]:
        filtered: NDArray[np.float32] = scale * kernel(scale * maps)
        return filtered

    return normalised
