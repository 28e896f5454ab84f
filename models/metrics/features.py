"""What dense features know: nearest neighbours and a linear probe."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.labelmap import IGNORE

_QUERIES = 4096  # queries compared with the bank at once


def cell_labels(labels: NDArray[np.integer], rows: int, columns: int) -> NDArray[np.uint16]:
    """Return the label of each cell of a grid over an (H, W) map: the most frequent one inside it.

    Of equally frequent labels the lowest counts; a cell without a judged pixel is 65535. Pixel (y, x) lies in
    cell (floor(y rows / H), floor(x columns / W)).
    """
    height, width = labels.shape
    row = np.arange(height) * rows // height
    column = np.arange(width) * columns // width
    cell = row[:, None] * columns + column[None]
    judged = labels != IGNORE
    ids = np.unique(labels[judged])
    if not ids.size:
        return np.full((rows, columns), IGNORE, np.uint16)
    index = np.searchsorted(ids, labels[judged])
    votes = np.bincount(cell[judged] * len(ids) + index, minlength=rows * columns * len(ids))
    votes = votes.reshape(rows * columns, len(ids))
    best = np.where(votes.any(1), ids[votes.argmax(1)], IGNORE)
    return best.reshape(rows, columns).astype(np.uint16)


def knn_labels(
    bank: Tensor, labels: Tensor, queries: Tensor, k: int = 20, temperature: float = 0.07
) -> Tensor:
    """Label features by their nearest neighbours (Wu et al. 2018, as DINO evaluates).

    Each of the k nearest by cosine votes with exp(cosine / temperature).

    Args:
        bank: (N, D) features with labels; any norm.
        labels: (N,) int64 ids from 0.
        queries: (M, D).

    Returns:
        (M,) int64; of equal votes the lowest id counts.

    Raises:
        ValueError: the bank is empty.
    """
    if not len(bank):
        raise ValueError("there is no feature to compare with")
    bank, classes = F.normalize(bank, dim=-1), int(labels.max()) + 1
    answers = []
    for part in queries.split(_QUERIES):
        cosine, index = (F.normalize(part, dim=-1) @ bank.T).topk(min(k, len(bank)), dim=1)
        votes = part.new_zeros(len(part), classes)
        # Votes relative to the best neighbour: exp would overflow at a low temperature.
        weight = ((cosine - cosine[:, :1]) / temperature).exp()
        answers.append(votes.scatter_add_(1, labels[index], weight).argmax(1))
    return torch.cat(answers) if answers else labels.new_empty(0)


class LinearProbe:
    """Multinomial logistic regression on frozen features, by L-BFGS from zero: deterministic.

    Features are standardised by the mean and deviation of the training set.

    Args:
        classes: ids from 0 to classes - 1.
        penalty: weight of the mean squared coefficients.
        steps: at most so many iterations.
    """

    def __init__(self, classes: int, penalty: float = 1e-4, steps: int = 100) -> None:
        self._classes, self._penalty, self._steps = classes, penalty, steps
        self._weight = self._bias = self._mean = self._deviation = torch.empty(0)

    def fit(self, features: Tensor, labels: Tensor) -> LinearProbe:
        """Learn from (N, D) float features and (N,) int64 labels; returns itself."""
        self._mean = features.mean(0)
        self._deviation = features.std(0, correction=0).clamp(min=1e-6)
        ready = (features - self._mean) / self._deviation
        weight = features.new_zeros(self._classes, features.shape[1], requires_grad=True)
        bias = features.new_zeros(self._classes, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=self._steps, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = F.cross_entropy(F.linear(ready, weight, bias), labels)
            value = value + self._penalty * weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)
        self._weight, self._bias = weight.detach(), bias.detach()
        return self

    def logits(self, features: Tensor) -> Tensor:
        """Return (M, classes) logits of (M, D) features.

        Raises:
            ValueError: nothing has been learnt yet.
        """
        if not self._weight.numel():
            raise ValueError("the probe has not been fitted")
        return F.linear((features - self._mean) / self._deviation, self._weight, self._bias)

    def __call__(self, features: Tensor) -> Tensor:
        """Return the (M,) labels of (M, D) features."""
        return self.logits(features).argmax(1)
