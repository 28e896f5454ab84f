from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskmill.models.clippy.grouping import group_similarity
from maskmill.models.metrics import grouping_jaccard


def _features(seed: int = 0) -> torch.Tensor:
    return torch.randn(10, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _planted() -> tuple[torch.Tensor, np.ndarray]:
    """Return features that are one of three directions and noise, and which of them."""
    truth = np.zeros((8, 8), int)
    truth[:3, :3], truth[5:, 4:] = 1, 2
    directions = torch.linalg.qr(torch.randn(10, 3, generator=torch.Generator().manual_seed(3)))[0].double()
    noise = 0.01 * torch.randn(10, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    return 5 * directions[:, truth] + noise, truth


@pytest.mark.parametrize("centred", [True, False])
def test_groups_are_cosines_with_principal_components(centred: bool) -> None:
    features, count = _features(), 4
    locations = features.flatten(1).T.numpy()
    departures = locations - locations.mean(0)
    values, vectors = np.linalg.eigh(departures.T @ departures)
    expected = np.empty((count, len(locations)))
    for group, column in enumerate(np.argsort(values)[::-1][:count]):
        centre = vectors[:, column]
        centre = centre if ((departures @ centre) ** 3).sum() >= 0 else -centre
        for place, seen in enumerate(departures if centred else locations):
            expected[group, place] = seen @ centre / np.linalg.norm(seen)
    found = group_similarity(features, count, centred)
    assert found.shape == (count, 6, 9)
    assert np.allclose(found.flatten(1).numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("centred", [True, False])
def test_planted_regions_are_found(centred: bool) -> None:
    features, truth = _planted()
    groups = group_similarity(features, 2, centred).argmax(0).numpy()
    assert {len(np.unique(groups[truth == region])) for region in (1, 2)} == {1}
    assert grouping_jaccard(groups, truth, background=0) > 0.5


def test_neither_the_order_of_locations_nor_a_rotation_of_channels_matters() -> None:
    features = _features()
    groups = group_similarity(features, 5).argmax(0)
    rotation = torch.linalg.qr(torch.randn(10, 10, dtype=torch.float64))[0]
    assert torch.equal(group_similarity(torch.einsum("de,ehw->dhw", rotation, features), 5).argmax(0), groups)
    assert torch.equal(group_similarity(features.flip(1, 2), 5).argmax(0), groups.flip(0, 1))


@pytest.mark.parametrize("shape", [(10, 1, 1), (10, 2, 2), (2, 6, 6)])
def test_there_are_no_more_groups_than_the_features_have_rank(shape: tuple[int, ...]) -> None:
    found = group_similarity(torch.randn(shape), 8)
    locations = shape[1] * shape[2]
    assert 1 <= len(found) <= max(1, min(8, shape[0], locations - 1))
    assert bool(torch.isfinite(found).all())


def test_a_plain_image_is_one_group() -> None:
    found = group_similarity(F.normalize(torch.ones(4, 3, 3), dim=0))
    assert found.shape == (1, 3, 3)
    assert bool((found.abs() <= 1).all())
