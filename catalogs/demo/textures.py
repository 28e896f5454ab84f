"""Noise and small procedural textures for the backgrounds; the noise is drawn once for each process.

All noise comes from tiles with a fixed seed, cut at random places, so a background costs a copy rather than a
synthesis and still depends on nothing but its generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

_TILE = 1024
Kind = Literal["cloud", "mottle", "grain", "streak", "ripple"]
# Per kind: the cells (down, across) of each octave with its weight.
_OCTAVES: dict[Kind, tuple[tuple[int, int, float], ...]] = {
    "cloud": ((6, 5, 1.0), (12, 10, 0.6), (26, 22, 0.35), (60, 50, 0.18), (140, 120, 0.08)),
    "mottle": ((40, 40, 1.0), (90, 90, 0.7), (220, 220, 0.5), (512, 512, 0.3)),
    "grain": ((1024, 1024, 1.0), (512, 512, 0.5)),
    "streak": ((300, 8, 1.0), (600, 20, 0.7), (1024, 60, 0.35)),
    "ripple": ((70, 16, 1.0), (150, 36, 0.7), (320, 90, 0.3)),
}


@dataclass(frozen=True)
class Field:
    """What a background painter gets: its generator, the size in px, and px for each unit of texture.

    `unit` is about 240 for a 320x240 scene; bricks scale with it, so a small image shows them whole.
    """

    rng: np.random.Generator
    height: int
    width: int
    unit: float

    def cut(self, tile: np.ndarray, zoom: float = 1.0) -> np.ndarray:
        """Cut (height, width) at random out of a tile drawn for `unit` 240, enlarged `zoom` times."""
        step = max(240.0 / (self.unit * zoom), 0.25)
        tall, wide = int(self.height * step) + 2, int(self.width * step) + 2
        top, left = self.rng.integers(0, max(_TILE - tall, 1)), self.rng.integers(0, max(_TILE - wide, 1))
        rows = (top + np.arange(self.height) * step).astype(np.intp) % _TILE
        columns = (left + np.arange(self.width) * step).astype(np.intp) % _TILE
        return tile.take(rows, axis=0).take(columns, axis=1)

    def noise(self, kind: Kind, zoom: float = 1.0) -> np.ndarray:
        """Return (height, width) float32 noise of zero mean and unit deviation, `zoom` times enlarged."""
        return self.cut(_noise_tile(kind), zoom)

    def drift(self, amount: float) -> np.ndarray:
        """Return a (3, 1, 1) float32 change of colour of up to `amount` levels in each channel."""
        return self.rng.uniform(-amount, amount, (3, 1, 1)).astype(np.float32)

    def rows(self) -> np.ndarray:
        """Return (height, 1) float32 running from 0 at the top to 1 at the bottom."""
        return np.linspace(0.0, 1.0, self.height, dtype=np.float32)[:, None]

    def columns(self) -> np.ndarray:
        """Return (1, width) float32 running from 0 at the left to 1 at the right."""
        return np.linspace(0.0, 1.0, self.width, dtype=np.float32)[None]

    def ramp(self, *colours: np.ndarray) -> np.ndarray:
        """Return a (3, height, 1) sheet that runs through (3, 1, 1) `colours` from top to bottom."""
        at = np.linspace(0.0, 1.0, len(colours))
        planes = [np.interp(self.rows()[:, 0], at, [c[k, 0, 0] for c in colours]) for k in range(3)]
        return np.stack(planes).astype(np.float32)[..., None]

    def ridge(self, base: float, swing: float, waves: float = 1.5) -> np.ndarray:
        """Return (width,) float32 heights of a rolling skyline, as shares of the image height."""
        phase = self.rng.uniform(0.0, 2.0 * np.pi, 3)
        x = self.columns()[0] * (2.0 * np.pi * waves)
        line = np.sin(x + phase[0]) + 0.5 * np.sin(2.1 * x + phase[1]) + 0.22 * np.sin(4.7 * x + phase[2])
        return (base + swing * line).astype(np.float32)


def tone(red: float, green: float, blue: float) -> np.ndarray:
    """Return one colour as (3, 1, 1) float32, which broadcasts against (3, height, width)."""
    return np.array((red, green, blue), dtype=np.float32)[:, None, None]


def blend(under: np.ndarray, over: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Lay `over` on `under` (both broadcast to (3, height, width)) with (height, width) cover in [0, 1]."""
    return under + (over - under) * cover


def edge(signed: np.ndarray, softness: float) -> np.ndarray:
    """Turn a signed distance into a cover in [0, 1] that rises over `softness` around zero."""
    return np.clip(signed / softness + 0.5, 0.0, 1.0).astype(np.float32)


def leaf_litter(field: Field) -> tuple[np.ndarray, np.ndarray]:
    """Return leaf numbers (0 for bare earth, 1..63) as (height, width) intp, and a float32 shade to add."""
    packed = field.cut(_leaf_tile())
    return (packed & 63).astype(np.intp), (packed >> 6) * np.float32(-22.0)


@cache
def _noise_tile(kind: Kind) -> np.ndarray:
    rng = np.random.default_rng([20, sum(map(ord, kind))])
    total = np.zeros((_TILE, _TILE), dtype=np.float32)
    for down, across, weight in _OCTAVES[kind]:
        coarse = Image.fromarray(rng.standard_normal((down, across)).astype(np.float32))
        fine = np.asarray(coarse.resize((_TILE, _TILE), Image.Resampling.BICUBIC))
        total += weight * fine / fine.std()
    return (total - total.mean()) / total.std()


@cache
def _leaf_tile() -> np.ndarray:
    """Draw pointed leaves with vein and rim; the low six bits number a leaf, the high ones darken it."""
    rng = np.random.default_rng([20, 63])
    sheet = Image.new("L", (_TILE, _TILE))
    draw = ImageDraw.Draw(sheet)
    t = np.linspace(0.0, 2.0 * np.pi, 24)
    leaf = np.stack(
        [np.cos(t), 0.5 * np.sin(t) * np.sin(t / 2.0) ** 0.6 * (1.0 + 0.12 * np.cos(9.0 * t))], axis=1
    )
    for _ in range(5200):
        angle, size = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(11.0, 19.0)
        spin = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle)))) * size
        points = (leaf @ spin + rng.uniform(0, _TILE, 2)).ravel().tolist()
        number = int(rng.integers(1, 64))
        draw.polygon(points, fill=number, outline=number + 128)
        draw.line((*points[:2], *points[24:26]), fill=number + 64)
    return np.asarray(sheet)
