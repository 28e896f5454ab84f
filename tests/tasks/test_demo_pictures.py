"""Pools of drawn pictures: the same for any number of workers, different for any other seed."""

from __future__ import annotations

import numpy as np
import pytest

from maskmill.catalogs.demo import UNKNOWN
from maskmill.tasks.demo_pictures import KINDS, draw_pictures, draw_scenes


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_squares_with_captions_and_repeatable(kind: str) -> None:
    first, again = (draw_pictures(kind, 3, 64, seed=1234) for _ in range(2))
    assert first.images.shape == (3, 64, 64, 3)
    assert first.images.dtype == np.uint8
    assert all(len(captions) >= 2 for captions in first.captions)
    np.testing.assert_array_equal(first.images, again.images)
    assert first.captions == again.captions


def test_another_seed_draws_other_pictures() -> None:
    one, other = (draw_pictures("closeup", 4, 48, seed=seed) for seed in (1234, 1235))
    assert (one.images != other.images).any(axis=(1, 2, 3)).all()


def test_a_longer_pool_begins_like_a_shorter_one() -> None:
    short, long = (draw_pictures("background", count, 48, seed=1234) for count in (2, 130))
    np.testing.assert_array_equal(short.images, long.images[:2])
    assert len(long.captions) == 130


def test_closeups_show_one_thing_and_backgrounds_none() -> None:
    assert {len(things) for things in draw_pictures("closeup", 5, 48, seed=1234).things} == {1}
    assert {len(things) for things in draw_pictures("background", 5, 48, seed=1234).things} == {0}


def test_captions_of_scenes_name_unknown_things_too() -> None:
    words = " ".join(text.lower() for scene in draw_scenes(25, 1234) for text in scene.captions)
    assert any(name in words for name in UNKNOWN)


@pytest.mark.slow
def test_workers_change_nothing() -> None:
    one, two = (draw_pictures("background", 200, 48, seed=1234, workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(one.images, two.images)
    assert one.captions == two.captions
