from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from maskmill.models.metrics.features import LinearProbe, cell_labels, knn_labels
from maskmill.schemas.labelmap import IGNORE


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (3, 10)])
def test_a_cell_has_the_label_of_most_of_its_pixels(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 3, 7, IGNORE], np.uint16), size)
    rows, columns = 3, 4
    votes: dict[tuple[int, int], Counter[int]] = {}
    for y in range(size[0]):
        for x in range(size[1]):
            cell = (y * rows // size[0], x * columns // size[1])
            if labels[y, x] != IGNORE:
                votes.setdefault(cell, Counter())[int(labels[y, x])] += 1
    found = cell_labels(labels, rows, columns)
    for y in range(rows):
        for x in range(columns):
            counted = votes.get((y, x), Counter())
            best = min((-n, label) for label, n in counted.items())[1] if counted else IGNORE
            assert found[y, x] == best
    assert (cell_labels(np.full(size, IGNORE, np.uint16), rows, columns) == IGNORE).all()


@pytest.mark.parametrize("k", [1, 5, 100])
def test_neighbours_vote_by_their_cosine(k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    bank, queries = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (30, 12))
    labels = torch.randint(0, 4, (30,), generator=generator)
    found = knn_labels(bank, labels, queries, k, temperature=0.3)
    for query, answer in zip(queries.tolist(), found.tolist(), strict=True):
        cosines = []
        for vector, label in zip(bank.tolist(), labels.tolist(), strict=True):
            dot = sum(a * b for a, b in zip(query, vector, strict=True))
            cosines.append((dot / math.hypot(*query) / math.hypot(*vector), label))
        votes = [0.0] * 4
        for cosine, label in sorted(cosines, reverse=True)[:k]:
            votes[label] += math.exp(cosine / 0.3)
        assert answer == votes.index(max(votes))


def test_a_low_temperature_does_not_overflow_and_an_empty_bank_is_refused() -> None:
    bank, labels = torch.eye(3), torch.arange(3)
    assert knn_labels(bank, labels, torch.eye(3) * 5, 3, temperature=1e-4).tolist() == [0, 1, 2]
    assert knn_labels(bank, labels, torch.empty(0, 3)).tolist() == []
    with pytest.raises(ValueError, match="no feature"):
        knn_labels(torch.empty(0, 3), torch.empty(0, dtype=torch.int64), bank)


def test_a_linear_probe_reaches_the_minimum_of_its_loss() -> None:
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(4, 8, generator=generator) * 3
    labels = torch.randint(0, 4, (200,), generator=generator)
    features = (centres[labels] + torch.randn(200, 8, generator=generator)) * 10 + 100
    probe = LinearProbe(4, penalty=1e-2).fit(features, labels)
    assert (probe(features) == labels).float().mean() > 0.95
    # At the minimum the mean gradient of the cross-entropy by a class's bias is zero.
    residual = probe.logits(features).softmax(1) - torch.nn.functional.one_hot(labels, 4)
    assert residual.mean(0).abs().max() < 1e-3
    again = LinearProbe(4, penalty=1e-2).fit(features, labels)
    assert torch.equal(again.logits(features), probe.logits(features))


def test_a_probe_must_be_fitted_first() -> None:
    with pytest.raises(ValueError, match="not been fitted"):
        LinearProbe(3)(torch.zeros(1, 2))


def test_a_probe_agrees_with_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is no dependency")
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(120, 5, generator=generator)
    labels = (features[:, 0] > 0).long() + 2 * (features[:, 1] > 0.5).long()
    theirs = linear.LogisticRegression(C=1e4, max_iter=1000).fit(features.numpy(), labels.numpy())
    mine = LinearProbe(4, penalty=1e-6, steps=500).fit(features, labels)
    assert (mine(features).numpy() == theirs.predict(features.numpy())).mean() > 0.97
