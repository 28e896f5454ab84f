from __future__ import annotations

import numpy as np
import pytest

from maskmill.catalogs.demo import SYNONYMS, THINGS
from maskmill.catalogs.demo.colours import PALETTE
from maskmill.catalogs.demo.things import DRAWERS, draw_thing


def test_every_thing_has_a_drawing() -> None:
    assert tuple(DRAWERS) == THINGS


@pytest.mark.parametrize("thing", THINGS)
def test_a_drawing_is_about_as_long_as_asked_and_mostly_opaque_or_clear(thing: str) -> None:
    for seed in range(4):
        rgba = draw_thing(thing, np.random.default_rng(seed), 90).rgba
        assert 70 <= max(rgba.shape[:2]) <= 128
        alpha = rgba[..., 3]
        assert np.mean((alpha == 0) | (alpha == 255)) > 0.8
        assert np.count_nonzero(alpha > 127) > 600


@pytest.mark.parametrize("thing", THINGS)
def test_a_drawing_speaks_of_itself_in_known_words(thing: str) -> None:
    for seed in range(6):
        look = draw_thing(thing, np.random.default_rng(seed), 48).look
        assert look.colour in {"", "wooden", *PALETTE}
        assert look.kind in {"", *SYNONYMS[thing]}


@pytest.mark.parametrize("thing", THINGS)
def test_drawings_vary_with_the_generator_and_only_with_it(thing: str) -> None:
    first, again, other = (draw_thing(thing, np.random.default_rng(seed), 64).rgba for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        draw_thing("unicorn", np.random.default_rng(0), 64)
