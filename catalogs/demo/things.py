"""The registry of drawings: a name and a side length in, a cut-out sprite and its caption words out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .looks import Drawer, Look
from .pen import Pen, Pose
from .things_animals import bird, butterfly, cat, fish
from .things_home import chair, clock, cup, lamp, umbrella
from .things_nature import apple, flower, mushroom, tree
from .things_play import guitar, house, kite, snowman
from .things_travel import boat, bus, car

DRAWERS: Final[dict[str, Drawer]] = {
    drawer.__name__: drawer
    for drawer in (
        *(house, tree, car, boat, fish, kite, cup, umbrella, cat, bird),
        *(flower, clock, chair, apple, mushroom, bus, guitar, snowman, butterfly, lamp),
    )
}
_TILT: Final[dict[str, float]] = {
    "house": 2.0,
    "tree": 4.0,
    "car": 5.0,
    "bus": 4.0,
    "snowman": 4.0,
    "chair": 5.0,
    "fish": 24.0,
    "kite": 34.0,
    "apple": 22.0,
    "guitar": 42.0,
    "butterfly": 40.0,
    "umbrella": 20.0,
}
_OTHER_TILT: Final = 8.0


@dataclass(frozen=True)
class Sprite:
    """One drawing: `rgba` (h, w, 4) uint8 cropped to what is painted, with the words that suit it."""

    thing: str
    rgba: np.ndarray
    look: Look


def draw_thing(thing: str, rng: np.random.Generator, side: int) -> Sprite:
    """Draw `thing` in random colours and proportions, its longer side close to `side` px.

    Raises KeyError for a name that is not in `DRAWERS`.
    """
    tilt = _TILT.get(thing, _OTHER_TILT)
    pen = Pen(Pose(side, float(rng.uniform(-tilt, tilt)), bool(rng.random() < 0.5)))
    look = DRAWERS[thing](pen, rng)
    return Sprite(thing, _lit(np.asarray(pen.cut())), look)


def _lit(rgba: np.ndarray) -> np.ndarray:
    """Let the light come from the upper left: up to 8 % brighter there, 12 % darker at the lower right."""
    height, width = rgba.shape[:2]
    gain = 1.08 - 0.1 * (np.linspace(0, 1, height)[:, None] + np.linspace(0, 1, width)[None])
    lit = rgba.copy()
    lit[..., :3] = np.minimum(rgba[..., :3] * gain[..., None].astype(np.float32), 255.0)
    return lit
