"""The fast bilateral solver (Barron and Poole 2016): masks smooth inside, sharp at an image's edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

SIGMA_SPATIAL, SIGMA_LUMA, SIGMA_CHROMA = 16, 16, 8
_SMOOTHNESS = 256.0
_CONFIDENCE = 0.999
_BISTOCHASTIC_STEPS = 10
_CG_STEPS = 25
_CG_TOLERANCE = 1e-5
_YUV = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


class BilateralSolver:
    """Smooths any number of maps over one image.

    The bilateral grid has one vertex for each occupied cell of (x, y, Y, U, V) at FOUND's sigmas of 16
    pixels, 16 luma and 8 chroma levels; smoothness 256 and 25 steps of conjugate gradients are FOUND's too.

    Args:
        image: (H, W, 3) uint8 RGB.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._shape = image.shape[:2]
        cells = _cells(image)
        radix = _radix(cells)
        codes, vertex = np.unique(cells @ radix, return_inverse=True)
        self._vertex = vertex.astype(np.int32)
        self._pixels = np.bincount(self._vertex).astype(np.float64)
        blur = _neighbours(codes, radix) + 2 * cells.shape[1] * sparse.identity(len(codes), format="csr")
        norm, mass = _bistochastised(blur, self._pixels)
        smooth = sparse.diags(mass) - sparse.diags(norm) @ blur @ sparse.diags(norm)
        self._system = (_SMOOTHNESS * smooth + sparse.diags(_CONFIDENCE * self._pixels)).tocsr()
        self._jacobi = sparse.diags(1.0 / np.maximum(self._system.diagonal(), 1e-5))

    def __call__(self, target: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the (H, W) map nearest to ``target`` that is smooth in the bilateral space.

        Minimises lambda / 2 sum_ij W_ij (x_i - x_j)^2 + sum_i c (x_i - t_i)^2 (Eq. 1) over the grid's
        vertices (Eq. 4), by conjugate gradients with Jacobi preconditioning from the vertices' means.

        Args:
            target: (H, W) values, e.g. a mask of 0 and 1.

        Raises:
            ValueError: the map has not the image's size.
        """
        if target.shape != self._shape:
            raise ValueError(f"the map is {target.shape}, the image {self._shape}")
        splatted = np.bincount(self._vertex, weights=target.ravel().astype(np.float64))
        solved, _ = cg(
            self._system,
            _CONFIDENCE * splatted,
            x0=splatted / self._pixels,
            M=self._jacobi,
            maxiter=_CG_STEPS,
            rtol=_CG_TOLERANCE,
        )
        return np.asarray(solved[self._vertex], dtype=np.float64).reshape(self._shape)


def _bistochastised(
    blur: sparse.csr_matrix, pixels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the diagonals n and m that make n B n have the row sums m (Barron and Poole, Algorithm 1)."""
    norm = np.ones(len(pixels))
    for _ in range(_BISTOCHASTIC_STEPS):
        norm = np.sqrt(norm * pixels / (blur @ norm))
    return norm, norm * (blur @ norm)


def _cells(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the grid cell (x, y, Y, U, V) of every pixel, (H * W, 5)."""
    height, width = image.shape[:2]
    yuv = image.reshape(-1, 3).astype(np.float64) @ _YUV.T + np.array([0.0, 128.0, 128.0])
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    spatial = np.stack([x, y], axis=1) / SIGMA_SPATIAL
    colour = yuv / np.array([SIGMA_LUMA, SIGMA_CHROMA, SIGMA_CHROMA])
    return np.concatenate([spatial, colour], axis=1).astype(np.int64)


def _radix(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return weights that give every cell one number; the spare step keeps borders from meeting."""
    extents = cells.max(axis=0) + 2
    return np.concatenate([[1], np.cumprod(extents[:-1])]).astype(np.int64)


def _neighbours(codes: NDArray[np.int64], radix: NDArray[np.int64]) -> sparse.csr_matrix:
    """Return the adjacency of occupied vertices that differ by one step in one dimension."""
    adjacency = sparse.csr_matrix((len(codes), len(codes)))
    for step in radix:
        found = np.minimum(np.searchsorted(codes, codes + step), len(codes) - 1)
        here = np.flatnonzero(codes[found] == codes + step)
        up = sparse.csr_matrix((np.ones(len(here)), (here, found[here])), shape=adjacency.shape)
        adjacency = adjacency + up + up.T
    return adjacency
