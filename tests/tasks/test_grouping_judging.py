from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskmill.schemas.labelmap import IGNORE
from maskmill.tasks.grouping_judging import named_by_truth

CLASSES = 4
GROUPS = arrays(np.int64, (5, 6), elements=st.integers(-3, 9))
TARGETS = arrays(np.uint16, (5, 6), elements=st.sampled_from([0, 1, 2, 3, IGNORE]))


@settings(max_examples=50, deadline=None)
@given(groups=GROUPS, target=TARGETS)
def test_a_group_is_named_by_the_class_of_most_of_its_judged_pixels(
    groups: np.ndarray, target: np.ndarray
) -> None:
    named = named_by_truth(groups, target, CLASSES)
    for group in np.unique(groups):
        held = Counter(int(t) for t in target[groups == group] if t != IGNORE)
        expected = min(held, key=lambda c: (-held[c], c)) if held else IGNORE
        assert set(named[groups == group].tolist()) == {expected}


def test_nothing_is_named_where_nothing_is_judged() -> None:
    target = np.full((2, 3), IGNORE, np.uint16)
    assert (named_by_truth(np.arange(6).reshape(2, 3), target, CLASSES) == IGNORE).all()
