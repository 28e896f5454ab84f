from __future__ import annotations

import numpy as np
import pytest

from maskmill.models.metrics import boundary_f, jaccard, trend, video_scores


def test_j_is_the_share_of_common_pixels_and_one_where_nothing_is() -> None:
    a, b = np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool)
    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert jaccard(a & ~a, b & ~b) == 1.0
    assert jaccard(a & ~a, b) == 0.0


def _benchmark_trend(values: list[float]) -> tuple[float, float, float]:
    """Mean, recall and decay in the words of the benchmark: bins share their border frames."""
    count = len(values)
    borders = [int(1 + i * (count - 1) / 4 + 0.5 + 1e-10) - 1 for i in range(5)]
    bins = [values[borders[i] : borders[i + 1] + 1] for i in range(4)]
    recall = sum(v > 0.5 for v in values) / count
    return sum(values) / count, recall, sum(bins[0]) / len(bins[0]) - sum(bins[3]) / len(bins[3])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10, 41])
def test_a_trend_has_mean_recall_and_decay(count: int) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    found = trend(values)
    assert (found.mean, found.recall, found.decay) == pytest.approx(_benchmark_trend(values))


def test_a_video_is_scored_by_object_without_its_first_and_last_frame() -> None:
    rng = np.random.default_rng(0)
    truths = [rng.integers(0, 3, (12, 12)) for _ in range(6)]
    truths[3][truths[3] == 2] = 0
    truths[4][0, 0] = 9  # an object that comes later is nobody's
    predictions = [np.where(rng.random((12, 12)) < 0.7, t, 0) for t in truths]
    predictions[0][:], predictions[-1][:] = 0, 0
    scores = video_scores(predictions, truths)
    assert sorted(scores) == [1, 2]
    for thing, (j, f) in scores.items():
        pairs = [(predictions[i] == thing, truths[i] == thing) for i in range(1, 5)]
        ious = [(p & t).sum() / (p | t).sum() if (p | t).any() else 1.0 for p, t in pairs]
        assert j.mean == pytest.approx(np.mean(ious))
        assert f.mean == pytest.approx(np.mean([boundary_f(p, t) for p, t in pairs]))


def test_videos_that_cannot_be_scored_are_refused() -> None:
    frame = np.zeros((2, 2), int)
    with pytest.raises(ValueError, match="at least 3"):
        video_scores([frame] * 2, [frame] * 2)
    with pytest.raises(ValueError, match="3 predicted and 4 true"):
        video_scores([frame] * 3, [frame] * 4)
    with pytest.raises(ValueError, match="no frame"):
        trend([])
