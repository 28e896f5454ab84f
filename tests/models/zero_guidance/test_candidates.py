from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.zero_guidance import candidates
from maskmill.models.zero_guidance.agglomeration import CutRule
from maskmill.models.zero_guidance.candidates import CandidateRule, find_candidates
from maskmill.models.zero_guidance.refinement import Crf


class Colours:
    """Keys that are the mean colour of 4 x 4 pixels, away from grey."""

    id = "colours"

    def keys(self, image: Tensor) -> Tensor:
        return F.normalize(F.avg_pool2d(image[None], 4)[0] - 0.5, dim=0)


def _image() -> Tensor:
    """Return three stripes of colour whose borders lie off the keys' grid, (3, 32, 48)."""
    image = torch.empty(3, 32, 48)
    for left, right, colour in (
        (0, 14, (0.9, 0.1, 0.1)),
        (14, 30, (0.1, 0.9, 0.1)),
        (30, 48, (0.1, 0.1, 0.9)),
    ):
        image[:, :, left:right] = torch.tensor(colour).view(3, 1, 1)
    return image


def _stripes(labels: np.ndarray) -> list[list[int]]:
    return [
        sorted(set(labels[:, part].ravel().tolist())) for part in (slice(0, 14), slice(14, 30), slice(30, 48))
    ]


def test_segments_follow_the_image_and_their_tree_joins_them_all() -> None:
    tree = find_candidates(_image(), Colours(), CandidateRule(CutRule(2)))
    assert tree.labels.shape == (32, 48)
    stripes = _stripes(tree.labels)
    assert [len(stripe) for stripe in stripes] == [1, 1, 1]
    assert sorted(leaf for stripe in stripes for leaf in stripe) == [0, 1, 2]
    assert len(tree.merges) == 2


def test_without_refinement_borders_are_the_grids() -> None:
    tree = find_candidates(_image(), Colours(), CandidateRule(CutRule(2), crf=None))
    grid = tree.labels[::4, ::4]
    assert np.array_equal(grid.repeat(4, 0).repeat(4, 1), tree.labels)
    assert not np.array_equal(
        tree.labels, find_candidates(_image(), Colours(), CandidateRule(CutRule(2))).labels
    )


def test_pixels_take_the_nearest_mean() -> None:
    image = _image()
    tree = find_candidates(image, Colours(), CandidateRule(CutRule(3, threshold=2), crf=None))
    keys = Colours().keys(image).flatten(1).T.double().numpy()
    cells = tree.labels[::4, ::4].ravel()
    means = np.stack([keys[cells == leaf].mean(0) for leaf in range(tree.leaves)])
    nearest = ((keys[:, None] - means[None]) ** 2).sum(2).argmin(1)
    assert np.array_equal(cells, nearest)


def test_segments_that_the_field_swallows_leave_the_tree() -> None:
    image = _image()
    image[:, 12:14, 20:22] = torch.tensor((0.9, 0.9, 0.1)).view(3, 1, 1)
    rule = CandidateRule(CutRule(5, threshold=2), Crf(smooth_weight=500, smooth_sigma=3))
    tree = find_candidates(image, Colours(), rule)
    assert set(np.unique(tree.labels)) == set(range(tree.leaves))
    assert tree.leaves < 6


def test_one_field_refines_all_segments_by_squared_distances_to_their_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[np.ndarray] = []

    def watched(unary: np.ndarray, image: np.ndarray, crf: Crf) -> np.ndarray:
        seen.append(unary)
        return unary.argmin(axis=0)

    monkeypatch.setattr(candidates, "refine", watched)
    tree = find_candidates(_image(), Colours(), CandidateRule(CutRule(2)))
    keys = Colours().keys(_image()).double()
    cells = tree.labels[::4, ::4]
    means = [keys[:, torch.from_numpy(cells == leaf)].mean(dim=1) for leaf in range(3)]
    expected = torch.stack([((keys - mean[:, None, None]) ** 2).sum(dim=0) for mean in means])
    (unary,) = seen
    assert np.allclose(unary, expected.numpy().repeat(4, 1).repeat(4, 2), atol=1e-9)
