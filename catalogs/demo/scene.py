"""Scenes: backgrounds with things laid on them, their exact label map and their captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from .backgrounds import BACKGROUNDS, paint_background
from .captions import CaptionWriter
from .finish import cast_shadow, finish
from .layout import Layout, Placed, arrange
from .names import KNOWN, THINGS, UNKNOWN, label_of
from .textures import Field
from .things import draw_thing

_MIN_SIDE: Final = 48
_SIDES: Final = (
    (0.45, 0.8),
    (0.36, 0.66),
    (0.32, 0.56),
    (0.28, 0.5),
)  # of the short side, by number of things
_SUITING: Final = 0.55  # share of choices that ask for a thing and a background that go together


@dataclass(frozen=True)
class Scene:
    """One drawn picture with its truth.

    `image` is (H, W, 3) uint8 RGB; `labels` is (H, W) uint8 and marks the visible part of every thing: 1..16
    for `KNOWN` in order, 17..20 for `UNKNOWN`, 0 for background. `things` holds one canonical name per thing
    (with repeats), from the farthest to the nearest; `background` is a name in `BACKGROUNDS`.
    """

    image: np.ndarray
    labels: np.ndarray
    things: tuple[str, ...]
    background: str
    captions: tuple[str, ...]


def draw_scene(rng: np.random.Generator, *, name_unknown: bool = False) -> Scene:
    """Draw a scene of 1 to 4 things, 256-384 px wide and 224-320 px high, with 2 to 4 captions.

    Every thing keeps at least 45 % of its area, and 400 px, visible. Captions pass over the things in
    `UNKNOWN` unless `name_unknown` is set.
    """
    wide = rng.random() < 0.75
    width, height = (
        _between(rng, (288, 384) if wide else (256, 280)),
        _between(rng, (224, 272) if wide else (288, 320)),
    )
    first = _one(rng, KNOWN)
    background = _background_for(rng, first)
    canvas = paint_background(background, Field(rng, height, width, rng.uniform(200.0, 280.0)))
    cast = _cast(rng, first, background)
    low, high = _SIDES[len(cast) - 1]
    sides = [max(_MIN_SIDE, round(min(height, width) * rng.uniform(low, high))) for _ in cast]
    sprites = [draw_thing(thing, rng, side) for thing, side in zip(cast, sides, strict=True)]
    layout = Layout(height, width, BACKGROUNDS[background].ground)
    placed = arrange(rng, layout, sprites)
    seen = [(item.sprite.thing, item.sprite.look) for item in placed]
    captions = CaptionWriter(rng, background).scene(seen, name_unknown)
    return _compose(rng, canvas, background, placed, captions)


def draw_closeup(rng: np.random.Generator, size: int) -> Scene:
    """Draw one thing that fills most of `size` x `size` px, perhaps cut by the frame; captions name it."""
    background = _any_background(rng)
    canvas = paint_background(background, Field(rng, size, size, size * rng.uniform(0.8, 3.0)))
    sprite = draw_thing(_one(rng, THINGS), rng, max(16, round(size * rng.uniform(0.72, 1.35))))
    tall, wide = sprite.rgba.shape[:2]
    slack = 0.16 * size
    top = round((size - tall) / 2 + rng.uniform(-slack, slack))
    left = round((size - wide) / 2 + rng.uniform(-slack, slack))
    captions = CaptionWriter(rng, background).closeup(sprite.thing, sprite.look)
    return _compose(rng, canvas, background, [Placed(sprite, top, left)], captions)


def draw_background(rng: np.random.Generator, size: int) -> Scene:
    """Draw a `size` x `size` image of background only; two captions say so."""
    background = _any_background(rng)
    canvas = paint_background(background, Field(rng, size, size, size * rng.uniform(0.7, 4.0)))
    return _compose(rng, canvas, background, [], CaptionWriter(rng, background).bare())


def _compose(
    rng: np.random.Generator,
    canvas: np.ndarray,
    background: str,
    placed: list[Placed],
    captions: tuple[str, ...],
) -> Scene:
    picture = Image.fromarray(canvas)
    labels = np.zeros(canvas.shape[:2], dtype=np.uint8)
    for item in placed:
        cast_shadow(picture, item, BACKGROUNDS[background].shadow(item.sprite.look.flies))
        cutout = Image.fromarray(item.sprite.rgba)
        picture.paste(cutout, (item.left, item.top), cutout)
        item.stamp(labels, label_of(item.sprite.thing))
    things = tuple(item.sprite.thing for item in placed)
    return Scene(finish(rng, picture), labels, things, background, captions)


def _background_for(rng: np.random.Generator, thing: str) -> str:
    suiting = [name for name, kind in BACKGROUNDS.items() if thing in kind.suits]
    return _one(rng, suiting) if rng.random() < _SUITING else _any_background(rng)


def _cast(rng: np.random.Generator, first: str, background: str) -> list[str]:
    """Choose 1 to 4 things: the first is given and known, about one in three of the others is unknown."""
    count = int(rng.choice((1, 2, 3, 4), p=(0.16, 0.36, 0.34, 0.14)))
    names = [first]
    while len(names) < count:
        pool = UNKNOWN if rng.random() < 0.36 else KNOWN
        suiting = [name for name in pool if name in BACKGROUNDS[background].suits]
        if rng.random() < 0.14:
            names.append(_one(rng, names))
        else:
            names.append(_one(rng, suiting if suiting and rng.random() < _SUITING else pool))
    return names


def _any_background(rng: np.random.Generator) -> str:
    return _one(rng, tuple(BACKGROUNDS))


def _one(rng: np.random.Generator, names: tuple[str, ...] | list[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _between(rng: np.random.Generator, span: tuple[int, int]) -> int:
    return int(rng.integers(span[0], span[1] + 1))
