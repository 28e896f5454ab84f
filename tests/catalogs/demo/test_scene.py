from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from maskmill.catalogs.demo import KNOWN, UNKNOWN, draw_background, draw_closeup, draw_scene, label_of


def test_a_scene_is_fixed_by_its_seed() -> None:
    first, again, other = (draw_scene(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.captions == again.captions
    assert first.image.tobytes() != other.image.tobytes()


def test_labels_hold_exactly_the_things_of_the_scene() -> None:
    counts: Counter[int] = Counter()
    for seed in range(60):
        scene = draw_scene(np.random.default_rng([1, seed]))
        height, width = scene.labels.shape
        assert scene.image.shape == (height, width, 3)
        assert scene.image.dtype == scene.labels.dtype == np.uint8
        assert 224 <= height <= 320 and 256 <= width <= 384
        areas = np.bincount(scene.labels.ravel(), minlength=21)
        assert {label_of(thing) for thing in scene.things} == set(np.flatnonzero(areas[1:]) + 1)
        assert all(areas[label_of(thing)] >= 400 for thing in scene.things)
        counts.update(len(scene.things) for _ in range(1))
    assert set(counts) == {1, 2, 3, 4}


def test_naming_unknown_things_changes_the_captions_only() -> None:
    plain, told = (draw_scene(np.random.default_rng([1, 7]), name_unknown=flag) for flag in (False, True))
    assert plain.labels.tobytes() == told.labels.tobytes()
    assert plain.things == told.things


def test_masks_follow_the_drawn_edges() -> None:
    """Inside a mask the picture differs from its surroundings more than just outside of it."""
    steps = []
    for seed in range(20):
        scene = draw_scene(np.random.default_rng([2, seed]))
        grey = scene.image.astype(np.float32).mean(axis=2)
        jump = np.abs(np.diff(grey, axis=1))
        border = (scene.labels[:, 1:] > 0) != (scene.labels[:, :-1] > 0)
        steps.append((jump[border].mean(), jump[~border].mean()))
    on_border, elsewhere = np.mean(steps, axis=0)
    assert on_border > 3.0 * elsewhere


@pytest.mark.parametrize("size", [64, 96])
def test_a_closeup_is_filled_by_one_thing(size: int) -> None:
    shares = []
    for seed in range(40):
        scene = draw_closeup(np.random.default_rng(seed), size)
        assert scene.image.shape == (size, size, 3)
        assert len(scene.things) == 1
        assert set(np.unique(scene.labels)) <= {0, label_of(scene.things[0])}
        shares.append(np.mean(scene.labels > 0))
    assert min(shares) > 0.08
    assert np.mean(shares) > 0.3


def test_closeups_show_known_and_unknown_things() -> None:
    shown = {draw_closeup(np.random.default_rng(seed), 32).things[0] for seed in range(150)}
    assert shown == {*KNOWN, *UNKNOWN}


def test_a_background_is_empty() -> None:
    scene = draw_background(np.random.default_rng(0), 72)
    assert scene.image.shape == (72, 72, 3)
    assert not scene.labels.any()
    assert scene.things == ()
    assert len(scene.captions) == 2
