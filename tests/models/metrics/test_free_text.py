from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from maskmill.models.metrics.free_text import (
    IOU_THRESHOLD,
    SEGMENT_THRESHOLD,
    TEXT_THRESHOLD,
    UNASSIGNED,
    FreeTextScore,
    reassign,
    text_generation_quality,
)

IGNORE = 65535


def _unit(rng: np.random.Generator, n: int, d: int = 5) -> NDArray[np.float64]:
    vectors = rng.normal(size=(n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("threshold", [-1.0, 0.1, 0.5, 1.0])
def test_each_segment_takes_its_nearest_class_if_near_enough(threshold: float) -> None:
    rng = np.random.default_rng(0)
    segments, classes = _unit(rng, 20), _unit(rng, 4)
    expected = []
    for segment in segments:
        cosines = [sum(a * b for a, b in zip(segment, name, strict=True)) for name in classes]
        best = max(range(4), key=lambda index: cosines[index])
        expected.append(best if cosines[best] >= threshold else UNASSIGNED)
    assert reassign(segments, classes, threshold).tolist() == expected


def test_without_classes_nothing_is_assigned() -> None:
    vectors = _unit(np.random.default_rng(0), 3)
    assert reassign(vectors, vectors[:0], -1).tolist() == [UNASSIGNED] * 3
    assert reassign(vectors[:0], vectors, -1).shape == (0,)


def _loops(images: list[tuple[NDArray, list[int], NDArray]], classes: int) -> tuple[float, float]:
    """IoU and recall from the definitions, pixel by pixel."""
    means, hits, targets = [], 0, 0
    for segments, assigned, target in images:
        ious = []
        for c in range(classes):
            both = either = held = 0
            for s, t in zip(segments.ravel(), target.ravel(), strict=True):
                if t == IGNORE:
                    continue
                both += assigned[s] == c and t == c
                either += assigned[s] == c or t == c
                held += t == c
            if held:
                ious.append(both / either)
        if ious:
            means.append(sum(ious) / len(ious))
        hits += sum(iou > 0.5 for iou in ious)
        targets += len(ious)
    return sum(means) / len(means), hits / targets


@pytest.mark.parametrize("seed", range(5))
def test_iou_and_recall_are_what_their_definitions_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, score = [], FreeTextScore(4)
    for _ in range(6):
        target = rng.integers(0, 4, (3, 4)).repeat(3, 0).repeat(3, 1).astype(np.uint16)
        segments = np.where(rng.random(target.shape) < 0.8, target, rng.integers(0, 6, target.shape))
        assigned = [0, 1, int(rng.integers(-1, 4)), 3, int(rng.integers(-1, 4)), UNASSIGNED]
        target[rng.random(target.shape) < 0.1] = IGNORE
        images.append((segments.astype(np.int64), assigned, target))
        score.update(*images[-1])
    iou, recall = _loops(images, 4)
    assert score.iou() == pytest.approx(iou)
    assert score.recall() == pytest.approx(recall)
    assert 0 < recall < 1


def test_segments_of_one_class_count_as_one() -> None:
    target = np.zeros((2, 6), np.uint16)
    segments = np.array([[0, 0, 1, 1, 2, 2]] * 2)
    assert FreeTextScore(1).update(segments, [0, 0, 0], target).iou() == 1
    assert FreeTextScore(1).update(segments, [0, 0, UNASSIGNED], target).iou() == pytest.approx(2 / 3)


def test_classes_beyond_the_target_cost_nothing_and_half_is_not_found() -> None:
    target = np.array([[0, 0, IGNORE, IGNORE]])
    score = FreeTextScore(3).update(np.array([[0, 1, 1, 2]]), [0, 2, 1], target)
    assert score.iou() == 0.5
    assert score.recall() == 0


def test_images_without_target_count_nowhere() -> None:
    score = FreeTextScore(2).update(np.zeros((2, 2), int), [1], np.full((2, 2), IGNORE))
    assert math.isnan(score.iou())
    assert math.isnan(score.recall())


@pytest.mark.parametrize(
    ("segments", "assigned", "target", "says"),
    [
        ([[0, 1]], [0, 1], [[0]], "differ in shape"),
        ([[0, 2]], [0, 1], [[0, 1]], "none of 2"),
        ([[0, 1]], [0, 5], [[0, 1]], "no class among 2"),
        ([[0, 1]], [0, 1], [[0, 2]], "no class among 2"),
    ],
)
def test_ids_that_do_not_fit_are_refused(segments: list, assigned: list, target: list, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FreeTextScore(2).update(np.array(segments), assigned, np.array(target))


def test_text_generation_quality_is_the_share_of_near_texts() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = _unit(rng, 30, 3), _unit(rng, 30, 3)
    hits = sum(float(np.dot(p, t)) > 0.5 for p, t in zip(predicted, truth, strict=True))
    assert text_generation_quality(predicted, truth) == pytest.approx(hits / 30)
    assert 0 < hits < 30
    assert math.isnan(text_generation_quality(predicted[:0], truth[:0]))
    with pytest.raises(ValueError, match="differ in shape"):
        text_generation_quality(predicted, truth[:3])


def test_the_thresholds_are_those_of_appendix_c() -> None:
    assert (TEXT_THRESHOLD, SEGMENT_THRESHOLD, IOU_THRESHOLD) == (0.5, 0.1, 0.5)
