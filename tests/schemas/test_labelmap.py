from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskmill.schemas.labelmap import IGNORE, LabelMap

LABELS = np.array([[0, 1], [IGNORE, 1]], np.uint16)
SCORES = np.zeros((2, 2), np.float16)


def test_ids_with_names_and_ignored_pixels_fit() -> None:
    label_map = LabelMap(LABELS, SCORES, ("background", "cat"))
    assert label_map.labels is LABELS
    assert LabelMap(np.zeros((0, 3), np.uint16), np.zeros((0, 3), np.float16), ()).names == ()


@pytest.mark.parametrize(
    ("labels", "scores", "names", "complaint"),
    [
        (LABELS[0], SCORES[0], ("background", "cat"), r"must be one \(H, W\)"),
        (LABELS, SCORES[:1], ("background", "cat"), r"must be one \(H, W\)"),
        (LABELS.astype(np.int64), SCORES, ("background", "cat"), "expected uint16 and float16"),
        (LABELS, SCORES.astype(np.float32), ("background", "cat"), "expected uint16 and float16"),
        (LABELS, SCORES, ("background",), "label 1 has no name among 1"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    labels: Any, scores: Any, names: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        LabelMap(labels, scores, names)
