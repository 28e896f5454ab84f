"""A sparse grid that filters by a Gaussian over place and colour in time linear in the pixels."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Splatting and slicing multilinearly add a variance of 1/6 cell^2 each, the blur [1 2 1] / 4 one of 1/2.
_CELL = math.sqrt(6 / 5)


class BilateralGrid:
    """Filters maps by exp(-|f_i - f_j|^2 / 2) over points f, approximately.

    Values are splatted multilinearly on a grid with cells of sqrt(6/5) standard deviations, blurred by
    [1 2 1] / 4 along each dimension, and sliced, which together have the kernel's variance. Only vertices
    that touch a point exist.

    Args:
        points: (n, d) coordinates in standard deviations of the kernel.
    """

    def __init__(self, points: NDArray[np.floating]) -> None:
        scaled = points / _CELL
        scaled = scaled - scaled.min(axis=0)
        base = np.floor(scaled).astype(np.int64)
        radix = np.concatenate([[1], np.cumprod(base.max(axis=0)[:-1] + 3)]).astype(np.int64)
        codes, weights = _corners(base @ radix, scaled - base, radix)
        vertices, vertex = np.unique(codes.ravel(), return_inverse=True)
        pixels = np.repeat(np.arange(len(points)), codes.shape[1])
        shape = (len(vertices), len(points))
        entries = (weights.ravel().astype(np.float32), (vertex.ravel(), pixels))
        self._splat = sparse.csr_matrix(entries, shape=shape)
        self._slice = self._splat.T.tocsr()
        self._blurs = [_blur(vertices, int(step)) for step in radix]

    def __call__(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter (L, n) maps, all in one product per stage; the result has a scale of its own."""
        values = self._splat @ np.ascontiguousarray(maps.T)
        for blur in self._blurs:
            values = blur @ values
        return np.asarray((self._slice @ values).T, dtype=np.float32)


def _corners(
    codes: NDArray[np.int64], fraction: NDArray[np.floating], radix: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the 2^d vertices around each point, (n, 2^d), and their multilinear weights."""
    corners: NDArray[np.int64] = np.array(list(itertools.product((0, 1), repeat=len(radix))), np.int64)
    share = np.ones((len(codes), len(corners)))
    for axis in range(len(radix)):
        inside = fraction[:, axis, None]
        share *= np.where(corners[None, :, axis] == 1, inside, 1 - inside)
    vertices: NDArray[np.int64] = codes[:, None] + corners @ radix
    return vertices, share


def _blur(vertices: NDArray[np.int64], step: int) -> sparse.csr_matrix:
    """Return [1 2 1] / 4 along the dimension whose neighbours' codes differ by ``step``."""
    found = np.minimum(np.searchsorted(vertices, vertices + step), len(vertices) - 1)
    here = np.flatnonzero(vertices[found] == vertices + step)
    up = sparse.csr_matrix((np.full(len(here), 0.25, np.float32), (here, found[here])), (len(vertices),) * 2)
    return (up + up.T + sparse.identity(len(vertices), np.float32, "csr") * np.float32(0.5)).tocsr()
