from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskmill.models.metrics import ConfusionMatrix, SplitMiou, split_miou
from maskmill.schemas.labelmap import IGNORE


def _definition(prediction: np.ndarray, target: np.ndarray, classes: int) -> tuple[list[float], float, float]:
    """IoU per class, mIoU and accuracy by looking at one pixel after the other."""
    inter, union, truth = [0] * classes, [0] * classes, [0] * classes
    right = judged = 0
    for p, t in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        if t == IGNORE:
            continue
        judged += 1
        right += p == t
        truth[t] += 1
        for c in range(classes):
            inter[c] += p == c and t == c
            union[c] += p == c or t == c
    iou = [i / u if u else math.nan for i, u in zip(inter, union, strict=True)]
    present = [v for v, n in zip(iou, truth, strict=True) if n]
    miou = sum(present) / len(present) if present else math.nan
    return iou, miou, right / judged if judged else math.nan


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_metrics_equal_the_pixel_by_pixel_definition(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.array([*range(classes), IGNORE], np.uint16)
    prediction, target = rng.choice(ids, (2, 5, 7))
    matrix = ConfusionMatrix(classes).update(prediction, target)
    iou, miou, accuracy = _definition(prediction, target, classes)
    np.testing.assert_allclose(matrix.iou(), iou)
    np.testing.assert_allclose(matrix.miou(), miou)
    np.testing.assert_allclose(matrix.pixel_accuracy(), accuracy)


def test_streaming_and_merging_equal_one_update_over_everything() -> None:
    rng = np.random.default_rng(0)
    prediction, target = rng.integers(0, 4, (2, 6, 8, 8))
    whole = ConfusionMatrix(4).update(prediction, target)
    first = ConfusionMatrix(4).update(prediction[0], target[0]).update(prediction[1], target[1])
    rest = ConfusionMatrix(4).update(prediction[2:], target[2:])
    assert np.array_equal(first.merge(rest.counts).counts, whole.counts)


def test_ignored_target_pixels_count_nowhere() -> None:
    target = np.array([[0, 1, 255]], np.uint8)
    matrix = ConfusionMatrix(2, ignore=255).update(np.array([[0, 1, 0]], np.uint8), target)
    assert matrix.counts.sum() == 2
    assert matrix.miou() == 1.0
    assert matrix.pixel_accuracy() == 1.0


def test_an_unanswered_pixel_is_a_miss_and_nobodys_false_positive() -> None:
    target = np.array([1, 1, 0], np.uint16)
    matrix = ConfusionMatrix(2).update(np.array([1, IGNORE, 0], np.uint16), target)
    assert matrix.iou().tolist() == [1.0, 0.5]
    assert matrix.pixel_accuracy() == pytest.approx(2 / 3)


def test_a_class_absent_from_the_targets_leaves_the_mean_alone() -> None:
    matrix = ConfusionMatrix(4).update(np.array([0, 0, 2, 1]), np.array([0, 0, 0, 1]))
    iou = matrix.iou()
    assert iou[:3].tolist() == [pytest.approx(2 / 3), 1.0, 0.0]
    assert math.isnan(iou[3])
    assert matrix.miou() == pytest.approx((2 / 3 + 1) / 2)


def test_nothing_judged_gives_nan_and_not_zero() -> None:
    matrix = ConfusionMatrix(3).update(np.array([1]), np.array([IGNORE]))
    assert math.isnan(matrix.miou())
    assert math.isnan(matrix.pixel_accuracy())


def test_counts_do_not_overflow_32_bits() -> None:
    matrix = ConfusionMatrix(1)
    matrix.merge(np.array([[2**40, 0]]))
    assert matrix.union[0] == 2**40


@pytest.mark.parametrize(
    ("prediction", "target", "said"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "differ in shape"),
        (np.array([0]), np.array([5]), "target holds id 5"),
        (np.array([-1]), np.array([0]), "prediction holds id -1"),
        (np.array([7]), np.array([0]), "prediction holds id 7"),
    ],
)
def test_input_that_is_no_pair_of_label_maps_is_refused(
    prediction: np.ndarray, target: np.ndarray, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ConfusionMatrix(3).update(prediction, target)


def test_a_prediction_one_past_the_last_class_is_refused() -> None:
    with pytest.raises(ValueError, match="prediction holds id 3"):
        ConfusionMatrix(3).update(np.array([3]), np.array([0]))


def test_counts_of_other_classes_do_not_merge() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        ConfusionMatrix(3).merge(np.zeros((2, 3), np.int64))


def test_known_and_unknown_classes_are_averaged_apart() -> None:
    rng = np.random.default_rng(1)
    prediction, target = rng.integers(0, 5, (2, 9, 9))
    target[target == 4] = 0  # a class that no target holds is in no mean
    matrix = ConfusionMatrix(5).update(prediction, target)
    iou, _, _ = _definition(prediction, target, 5)
    split = split_miou(matrix, [False, False, True, True, True])
    known, unknown = (iou[0] + iou[1]) / 2, (iou[2] + iou[3]) / 2
    assert split.known == pytest.approx(known)
    assert split.unknown == pytest.approx(unknown)
    assert split.harmonic == pytest.approx(2 / (1 / known + 1 / unknown))


def test_a_split_without_a_part_has_no_mean_for_it() -> None:
    matrix = ConfusionMatrix(2).update(np.array([0, 1]), np.array([0, 1]))
    assert math.isnan(split_miou(matrix, [False, False]).unknown)
    assert SplitMiou(0.0, 0.0).harmonic == 0.0
    with pytest.raises(ValueError, match="3 entries for 2 classes"):
        split_miou(matrix, [True, False, True])


@pytest.mark.parametrize("library", ["sklearn.metrics", "torchmetrics.classification"])
def test_metrics_equal_those_of_a_library(library: str) -> None:
    module = pytest.importorskip(library, reason=f"{library} is no dependency; the loop above always runs")
    rng = np.random.default_rng(2)
    prediction, target = rng.integers(0, 6, (2, 40, 40))
    matrix = ConfusionMatrix(6).update(prediction, target)
    if library == "sklearn.metrics":
        theirs = module.confusion_matrix(target.ravel(), prediction.ravel(), labels=range(6))
        assert np.array_equal(matrix.counts[:, :6], theirs)
        np.testing.assert_allclose(
            matrix.iou(), module.jaccard_score(target.ravel(), prediction.ravel(), average=None)
        )
    else:
        torch = pytest.importorskip("torch")
        index = module.MulticlassJaccardIndex(6, average="macro")
        theirs = float(index(torch.from_numpy(prediction), torch.from_numpy(target)))
        assert matrix.miou() == pytest.approx(theirs, abs=1e-6)
