from __future__ import annotations

import math

import numpy as np
import pytest

from maskmill.models.metrics import best_overlaps, grouping_jaccard
from maskmill.schemas.labelmap import IGNORE


@pytest.mark.parametrize("seed", range(5))
def test_best_overlaps_equal_the_best_of_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, truth = rng.integers(-2, 4, (9, 11)), rng.integers(0, 4, (9, 11))
    truth[rng.random((9, 11)) < 0.2] = IGNORE
    judged = truth != IGNORE
    expected = {}
    for segment in set(truth[judged].tolist()):
        mine = (truth == segment) & judged
        ious = []
        for group in set(groups[judged].tolist()):
            other = (groups == group) & judged
            ious.append((mine & other).sum() / (mine | other).sum())
        expected[segment] = max(ious)
    assert best_overlaps(groups, truth) == pytest.approx(expected)
    things = [iou for segment, iou in expected.items() if segment]
    assert grouping_jaccard(groups, truth) == pytest.approx(np.mean(things))
    assert grouping_jaccard(groups, truth, background=None) == pytest.approx(np.mean(list(expected.values())))


def test_the_names_of_groups_do_not_matter() -> None:
    truth = np.array([[0, 0, 1, 1, 2]])
    assert grouping_jaccard(np.array([[7, 7, -3, -3, 100]]), truth) == 1.0


def test_an_image_without_segments_has_no_score() -> None:
    assert math.isnan(grouping_jaccard(np.zeros((2, 2), int), np.zeros((2, 2), int)))
    assert best_overlaps(np.zeros((2, 2), int), np.full((2, 2), IGNORE)) == {}
    with pytest.raises(ValueError, match="differ in shape"):
        best_overlaps(np.zeros((2, 2), int), np.zeros((2, 3), int))
