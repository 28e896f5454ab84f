"""Where the things of a scene go: on the ground if there is any, overlapping a little, none hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .things import Sprite

_MIN_VISIBLE: Final = 0.45
_MIN_PIXELS: Final = 400
# People hardly ever photograph one thing through another: overlaps are tried away first, then allowed.
_VISIBLE_SHARES: Final = (0.9,) * 8 + (0.7,) * 8 + (_MIN_VISIBLE,) * 8


@dataclass(frozen=True)
class Placed:
    """A sprite with its top left corner in image px (negative where the frame cuts it)."""

    sprite: Sprite
    top: int
    left: int

    @property
    def bottom(self) -> int:
        """The first row below the sprite."""
        return self.top + self.sprite.rgba.shape[0]

    def stamp(self, plane: np.ndarray, value: int) -> None:
        """Write `value` where the sprite is more than half opaque into `plane` (H, W), in place."""
        y, x = max(self.top, 0), max(self.left, 0)
        opaque = self.sprite.rgba[y - self.top :, x - self.left :, 3] > 127
        window = plane[y : y + opaque.shape[0], x : x + opaque.shape[1]]
        window[opaque[: window.shape[0], : window.shape[1]]] = value


@dataclass(frozen=True)
class Layout:
    """The stage: its size in px and the share of the height where ground begins (None: there is none)."""

    height: int
    width: int
    ground: float | None


def arrange(rng: np.random.Generator, layout: Layout, sprites: list[Sprite]) -> list[Placed]:
    """Place `sprites`, far ones first, so that each keeps 45 % of its area and 400 px visible.

    The last sprites are dropped while no such arrangement is found; one sprite alone always fits.
    """
    for count in range(len(sprites), 1, -1):
        for share in _VISIBLE_SHARES:
            placed = sorted(
                (_spot(rng, layout, sprite) for sprite in sprites[:count]), key=lambda item: item.bottom
            )
            if _all_visible(layout, placed, share):
                return placed
    return [_centred(rng, layout, sprites[0])]


def _spot(rng: np.random.Generator, layout: Layout, sprite: Sprite) -> Placed:
    tall, wide = sprite.rgba.shape[:2]
    over = 0.12 if rng.random() < 0.15 else 0.0
    left = round(rng.uniform(-over * wide, max(layout.width - (1.0 - over) * wide, 1.0)))
    lowest = layout.height - (1.0 - over) * tall
    if layout.ground is None:
        return Placed(sprite, round(rng.uniform(0.0, max(lowest, 1.0))), left)
    if sprite.look.flies:
        return Placed(
            sprite, round(rng.uniform(0.0, max(min(lowest, layout.height * layout.ground), 1.0))), left
        )
    highest = min(max(layout.ground * layout.height + 0.1 * layout.height - tall, 0.0), max(lowest, 0.0))
    return Placed(sprite, round(rng.uniform(highest, max(lowest - 2.0, highest + 1.0))), left)


def _centred(rng: np.random.Generator, layout: Layout, sprite: Sprite) -> Placed:
    spot = _spot(rng, layout, sprite)
    left = min(max(spot.left, 0), max(layout.width - sprite.rgba.shape[1], 0))
    return Placed(sprite, min(max(spot.top, 0), max(layout.height - sprite.rgba.shape[0], 0)), left)


def _all_visible(layout: Layout, placed: list[Placed], share: float) -> bool:
    plane = np.zeros((layout.height, layout.width), dtype=np.uint8)
    for number, item in enumerate(placed, start=1):
        item.stamp(plane, number)
    seen = np.bincount(plane.ravel(), minlength=len(placed) + 1)[1:]
    whole = np.array([np.count_nonzero(item.sprite.rgba[..., 3] > 127) for item in placed])
    return bool(np.all(seen >= np.maximum(share * whole, _MIN_PIXELS)))
