from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from maskmill.models.segmenters.maskclip_scores import denoise, label_logits, label_shares, smooth


def _removed(cosines: torch.Tensor, scale: float, threshold: float) -> list[int]:
    """Name the classes that no cell is sure of, a class and a cell at a time."""
    classes, height, width = cosines.shape
    unsure = []
    for c in range(classes):
        surest = 0.0
        for y in range(height):
            for x in range(width):
                cell = [math.exp(scale * float(cosines[k, y, x])) for k in range(classes)]
                surest = max(surest, cell[c] / sum(cell))
        if surest < threshold:
            unsure.append(c)
    return unsure


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7])
def test_denoising_removes_classes_that_no_cell_is_sure_of(threshold: float) -> None:
    torch.manual_seed(0)
    cosines = torch.randn(6, 3, 4)
    unsure = _removed(cosines, 1.5, threshold)
    result = denoise(cosines, 1.5, threshold)
    assert torch.equal(result[unsure], torch.full((len(unsure), 3, 4), -100.0))
    kept = [c for c in range(6) if c not in unsure]
    assert torch.equal(result[kept], cosines[kept])
    assert 0 < len(kept) < 6


def test_denoising_never_removes_all_classes_nor_the_kept_ones() -> None:
    cosines = torch.zeros(4, 2, 2)
    assert torch.equal(denoise(cosines, 1.0, 0.5), cosines)
    assert denoise(cosines, 1.0, 0.5, kept=1)[:, 0, 0].tolist() == [0, -100, -100, -100]


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_smoothing_is_the_sum_over_all_pairs_of_cells(threshold: float) -> None:
    torch.manual_seed(0)
    shares = (2 * torch.randn(5, 3, 4, dtype=torch.float64)).softmax(dim=0)
    keys = torch.randn(12, 7, dtype=torch.float64)
    result = smooth(shares, keys, threshold, by_channel=False)
    before, after = shares.flatten(1), result.flatten(1)
    for i in range(12):
        expected = before[:, i]
        if float(expected.max()) < threshold:
            cosines = [F.cosine_similarity(keys[i], keys[j], dim=0) for j in range(12)]
            expected = sum(cosines[j] * before[:, j] for j in range(12))  # type: ignore[assignment]
        torch.testing.assert_close(after[:, i], expected, atol=1e-9, rtol=0)


def test_the_released_smoothing_normalises_channels_not_keys() -> None:
    shares = torch.rand(3, 2, 2, dtype=torch.float64).softmax(dim=0)
    keys = torch.randn(4, 6, dtype=torch.float64)
    scaled = keys / torch.stack([keys[:, c].norm() for c in range(6)])
    expected = torch.zeros(3, 4, dtype=torch.float64)
    for i in range(4):
        for j in range(4):
            expected[:, i] += (scaled[i] @ scaled[j]) * shares.flatten(1)[:, j]
    result = smooth(shares, keys, 1.0, by_channel=True)
    torch.testing.assert_close(result.flatten(1), expected, atol=1e-9, rtol=0)


def test_logits_give_their_largest_and_its_probability() -> None:
    logits = 5 * torch.randn(7, 4, 6)
    labels, scores = label_logits(logits.clone())
    best, expected = logits.softmax(dim=0).max(dim=0)
    assert torch.equal(labels, expected)
    torch.testing.assert_close(scores, best)


def test_a_score_is_the_part_of_what_is_positive() -> None:
    shares = torch.tensor([[3.0, -1.0, 0.0], [1.0, -2.0, 0.0], [-5.0, -3.0, 0.0]])[:, None]
    labels, scores = label_shares(shares)
    assert labels.tolist() == [[0, 0, 0]]
    assert scores.tolist() == [[0.75, 0.0, 0.0]]


def test_below_the_threshold_is_background_and_labels_are_one_higher() -> None:
    shares = torch.tensor([[0.75, 0.55, 0.5, 0.1], [0.25, 0.45, 0.5, 0.9]])[:, None]
    labels, scores = label_shares(shares, threshold=0.6)
    assert labels.tolist() == [[1, 0, 0, 2]]
    torch.testing.assert_close(scores, torch.tensor([[0.75, 0.45, 0.5, 0.9]]))
