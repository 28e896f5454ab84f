from __future__ import annotations

import re

import numpy as np
import pytest

from maskmill.catalogs.demo import SYNONYMS, THINGS, plural
from maskmill.catalogs.demo.backgrounds import BACKGROUNDS, paint_background
from maskmill.catalogs.demo.textures import Field


def _field(seed: int, height: int = 60, width: int = 80) -> Field:
    return Field(np.random.default_rng(seed), height, width, 60.0)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_is_textured_and_repeatable(name: str) -> None:
    image = paint_background(name, _field(3))
    assert image.shape == (60, 80, 3)
    assert image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 30
    assert np.array_equal(image, paint_background(name, _field(3)))
    assert not np.array_equal(image, paint_background(name, _field(4)))


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_backgrounds_paint_odd_and_large_sizes(name: str) -> None:
    assert paint_background(name, _field(0, 17, 400)).shape == (17, 400, 3)


def test_background_words_name_no_thing() -> None:
    words = [form for thing in THINGS for word in (thing, *SYNONYMS[thing]) for form in (word, plural(word))]
    named = re.compile(r"\b(" + "|".join(words) + r")\b")
    for kind in BACKGROUNDS.values():
        assert not any(named.search(phrase) for phrase in (*kind.places, *kind.names))


def test_backgrounds_suit_things_that_exist() -> None:
    suited = {thing for kind in BACKGROUNDS.values() for thing in kind.suits}
    assert suited == set(THINGS)


def test_an_unknown_background_is_refused() -> None:
    with pytest.raises(KeyError):
        paint_background("moon base", _field(0))
