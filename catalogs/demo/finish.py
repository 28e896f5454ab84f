"""The last touches of a scene: shadows under things, a tint of light over all, and film grain."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageFilter

from .layout import Placed

Shadow = Literal["none", "foot", "drop"]
_DARK: Final = (24, 18, 44)


def cast_shadow(picture: Image.Image, item: Placed, kind: Shadow) -> None:
    """Darken `picture` in place: a pool under a standing thing, or a soft shadow on the wall behind."""
    tall, wide = item.sprite.rgba.shape[:2]
    if kind == "foot":
        pool = _pool().resize((wide + 8, max(8, wide // 5)), Image.Resampling.BILINEAR)
        picture.paste(_DARK, (item.left - 4, item.bottom - pool.height * 11 // 20), pool)
    elif kind == "drop":
        small = Image.fromarray(item.sprite.rgba[..., 3]).resize(
            (wide // 4 + 1, tall // 4 + 1), Image.Resampling.BOX
        )
        soft = Image.new("L", (small.width + 4, small.height + 4))
        soft.paste(small.point(_half), (2, 2))
        soft = soft.filter(ImageFilter.BoxBlur(1)).resize((wide + 16, tall + 16), Image.Resampling.BILINEAR)
        reach = max(1, round(0.035 * max(tall, wide)))
        picture.paste(_DARK, (item.left - 8 + reach, item.top - 8 + reach), soft)


def finish(rng: np.random.Generator, picture: Image.Image) -> np.ndarray:
    """Tint and brighten `picture` a little and add grain; return (H, W, 3) uint8."""
    gains = rng.uniform(0.96, 1.06) * rng.uniform(0.975, 1.025, 3)
    table = np.clip(np.arange(256) * gains[:, None] + rng.uniform(-5.0, 5.0), 0, 255).astype(int)
    toned = np.asarray(picture.point(table.ravel().tolist()))
    height, width = toned.shape[:2]
    grain = _grain()
    top, left = rng.integers(0, grain.shape[0] - height + 1), rng.integers(0, grain.shape[1] - width + 1)
    noisy = toned.astype(np.int16) + grain[top : top + height, left : left + width]
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _half(value: int) -> float:
    return value * 0.42


@cache
def _pool() -> Image.Image:
    y, x = np.mgrid[-1.0:1.0:32j, -1.0:1.0:96j]
    return Image.fromarray((np.clip(1.0 - x * x - y * y, 0.0, 1.0) ** 0.7 * 110).astype(np.uint8))


@cache
def _grain() -> np.ndarray:
    noise = np.random.default_rng([20, 1]).normal(0.0, 2.2, (640, 640, 1))
    return np.repeat(np.rint(noise), 3, axis=2).astype(np.int16)
