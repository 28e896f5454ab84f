from __future__ import annotations

import numpy as np

from maskmill.catalogs.demo.layout import Layout, Placed, arrange
from maskmill.catalogs.demo.looks import Look
from maskmill.catalogs.demo.things import Sprite


def _block(tall: int, wide: int, flies: bool = False) -> Sprite:
    rgba = np.full((tall, wide, 4), 255, dtype=np.uint8)
    return Sprite("cup", rgba, Look(flies=flies))


def test_a_stamp_is_cut_by_the_frame() -> None:
    plane = np.zeros((10, 12), dtype=np.uint8)
    Placed(_block(4, 5), -2, 9).stamp(plane, 7)
    assert np.argwhere(plane == 7).tolist() == [[y, x] for y in range(2) for x in range(9, 12)]


def test_half_transparent_pixels_are_outside() -> None:
    sprite = _block(1, 3)
    sprite.rgba[0, :, 3] = (127, 128, 255)
    plane = np.zeros((1, 3), dtype=np.uint8)
    Placed(sprite, 0, 0).stamp(plane, 1)
    assert plane.tolist() == [[0, 1, 1]]


def test_every_placed_thing_stays_visible() -> None:
    layout = Layout(120, 160, None)
    for seed in range(40):
        placed = arrange(np.random.default_rng(seed), layout, [_block(60, 60) for _ in range(4)])
        plane = np.zeros((120, 160), dtype=np.uint8)
        for number, item in enumerate(placed, start=1):
            item.stamp(plane, number)
        seen = np.bincount(plane.ravel(), minlength=len(placed) + 1)[1:]
        assert (seen >= 0.45 * 3600).all()


def test_things_that_do_not_fit_are_dropped_but_never_the_first() -> None:
    sprites = [_block(100, 100) for _ in range(4)]
    placed = arrange(np.random.default_rng(0), Layout(100, 100, None), sprites)
    assert len(placed) < 4
    assert placed[0].sprite is sprites[0]


def test_standing_things_rest_on_the_ground_and_flying_ones_keep_their_top_above_it() -> None:
    layout = Layout(200, 200, 0.5)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        (standing,) = arrange(rng, layout, [_block(60, 60)])
        assert standing.bottom > 100
        (flying,) = arrange(rng, layout, [_block(60, 60, flies=True)])
        assert flying.top <= 100
