from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from maskmill.catalogs.kept_captions import draw, draw_caption
from maskmill.schemas.samples import image_id


def test_draws_are_uniform_over_images_and_over_epochs() -> None:
    over_images = Counter(draw_caption(range(5), image_id("c", str(i)), 0, 0) for i in range(5000))
    over_epochs = Counter(draw_caption(range(5), image_id("c", "a"), 0, epoch) for epoch in range(5000))
    for counts in (over_images, over_epochs):
        assert chisquare([counts[i] for i in range(5)]).pvalue > 0.001


def test_draws_of_two_epochs_are_independent() -> None:
    table = np.zeros((3, 3))
    for i in range(6000):
        table[tuple(draw(3, "caption", 0, epoch, str(i)) for epoch in range(2))] += 1
    assert chisquare(table.ravel()).pvalue > 0.001


@given(st.sets(st.integers(0, 1000), min_size=1), st.text(), st.integers(), st.integers(0), st.randoms())
def test_the_order_of_the_captions_does_not_matter(
    indices: set[int], key: str, seed: int, epoch: int, random: object
) -> None:
    shuffled = list(indices)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = draw_caption(shuffled, key, seed, epoch)
    assert found in indices
    assert found == draw_caption(sorted(indices), key, seed, epoch)


def test_nothing_cannot_be_drawn_from() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        draw(0, "a")
