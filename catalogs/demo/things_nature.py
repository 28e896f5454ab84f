"""Drawings of a tree, a flower, a mushroom and an apple."""

from __future__ import annotations

import numpy as np

from .colours import PALETTE, RGB, jitter, lift, pick
from .looks import Look
from .pen import Pen
from .shapes import arc, ellipse, mirror, rect, shift, smooth, turn

_WHITE: RGB = (255, 255, 255)
_BARK: RGB = (126, 88, 60)
_LEAF: RGB = (88, 156, 76)
_SHADE: RGB = (40, 28, 60)


def tree(pen: Pen, rng: np.random.Generator) -> Look:
    """A broad-leaved tree with a crown of clumps, or a conifer."""
    if rng.random() < 0.4:
        return _conifer(pen, rng)
    leaves = ((96, 164, 78), (72, 140, 80), (150, 176, 68), (226, 146, 56), (206, 96, 60))[
        int(rng.choice(5, p=_SEASON))
    ]
    green = jitter(rng, leaves, 16)
    trunk = [(-0.1, 0.0), (0.1, 0.0), (0.12, 0.6), (0.24, 0.97), (-0.24, 0.97), (-0.12, 0.6)]
    pen.fill(trunk, _BARK)
    pen.tube([(0.02, 0.4), (0.3, 0.08)], _BARK, 0.07)
    pen.tint([(0.02, 0.0), (0.1, 0.0), (0.12, 0.6), (0.24, 0.97), (0.04, 0.97)], _SHADE, 0.25)
    clumps = np.array(
        [
            (-0.5, -0.08, 0.36),
            (0.5, -0.06, 0.36),
            (-0.34, -0.5, 0.36),
            (0.36, -0.5, 0.36),
            (0, -0.66, 0.34),
            (0, -0.2, 0.46),
        ]
    )
    clumps += rng.uniform(-0.05, 0.05, clumps.shape)
    for x, y, radius in clumps:
        pen.flat(ellipse(x, y, radius + 0.036), lift(green, -0.52))
    for x, y, radius in clumps:
        pen.flat(ellipse(x, y, radius), green, depth=0.1)
    _foliage_marks(pen, rng, green, clumps)
    return Look("green" if green[1] > green[0] else "")


_SEASON = (0.34, 0.3, 0.14, 0.14, 0.08)


def _foliage_marks(pen: Pen, rng: np.random.Generator, green: RGB, clumps: np.ndarray) -> None:
    for x, y, radius in clumps:
        pen.tint(ellipse(x - 0.08, y - 0.1, radius * 0.7), lift(green, 0.4), 0.4)
        pen.tint(ellipse(x - 0.13, y - 0.17, radius * 0.4), lift(green, 0.6), 0.35)
    for x, y in rng.uniform((-0.6, -0.7), (0.6, 0.14), (10, 2)):
        pen.line(arc(x, y, 0.07, 0.05, 20, 160), lift(green, -0.3), 0.025)


def _conifer(pen: Pen, rng: np.random.Generator) -> Look:
    green = jitter(rng, (58, 126, 88) if rng.random() < 0.6 else (84, 146, 84), 14)
    pen.fill(rect(-0.1, 0.5, 0.1, 0.98), _BARK)
    tiers = int(rng.integers(3, 5))
    snow = rng.random() < 0.2
    for k in range(tiers):
        low = 0.76 - k * 1.26 / tiers
        wide = 0.66 - k * 0.44 / tiers
        high = -0.98 if k == tiers - 1 else low - 0.8
        hem = [(wide * t, low + (0.05 if j % 2 else -0.05)) for j, t in enumerate(np.linspace(1, -1, 9))]
        tier = np.array([(0.0, high), *hem])
        pen.fill(tier, lift(green, 0.06 * k), depth=0.2)
        pen.tint([(0.02, high), (0.7, low + 0.1), (0.16, low + 0.1)], _SHADE, 0.2, within=tier)
        if snow:
            pen.tint(
                [(0.0, high), (wide * 0.5, high + 0.36), (0, high + 0.26), (-wide * 0.5, high + 0.36)],
                _WHITE,
                0.9,
                tier,
            )
    return Look("green", "pine")


def flower(pen: Pen, rng: np.random.Generator) -> Look:
    """A daisy-like flower or a tulip on a stem with leaves."""
    petal, word = pick(rng, "pink", "red", "yellow", "white", "purple", "orange", "blue")
    green = jitter(rng, _LEAF)
    bend = rng.uniform(-0.14, 0.14)
    pen.tube(smooth([(0, -0.3), (bend, 0.3), (0, 0.98)], closed=False), green, 0.07)
    for side, y in ((1, 0.74), (-1, 0.86)):
        leaf = np.array([(0, 0), (0.2, -0.26), (0.56, -0.36), (0.42, -0.06)]) * (side, 1) + (0, y)
        pen.fill(smooth(leaf), green)
        pen.line([leaf[0], (leaf[1] + leaf[2] + leaf[3]) / 3], lift(green, -0.3), 0.02)
    if rng.random() < 0.3:
        _tulip(pen, petal)
        return Look(word, "tulip")
    _daisy(pen, rng, petal, word)
    return Look(word, "daisy" if word in ("white", "yellow", "pink") else "blossom")


def _daisy(pen: Pen, rng: np.random.Generator, petal: RGB, word: str) -> None:
    count = int(rng.integers(6, 12))
    wide = min(0.19, 1.02 / count)
    start = rng.uniform(0, 90)
    for k in range(count):
        one = shift(turn(ellipse(0.36, 0, 0.25, wide), start + 360.0 * k / count), 0, -0.4)
        pen.fill(one, petal, depth=0.12)
    heart = PALETTE["yellow"] if word not in ("yellow", "orange") else PALETTE["brown"]
    pen.fill(ellipse(0, -0.4, 0.2), heart)
    for angle in range(0, 360, 60):
        pen.flat(shift(turn(ellipse(0.1, 0, 0.025), angle), 0, -0.4), lift(heart, -0.35))


def _tulip(pen: Pen, petal: RGB) -> None:
    for side in (-1, 1):
        pen.fill(
            smooth(np.array([(0, 0.0), (0.34, -0.1), (0.46, -0.5), (0.42, -0.94), (0.1, -0.6)]) * (side, 1)),
            petal,
        )
    pen.fill(
        smooth([(0, 0.02), (0.26, -0.14), (0.24, -0.56), (0, -0.92), (-0.24, -0.56), (-0.26, -0.14)]),
        lift(petal, 0.12),
    )
    pen.tint(ellipse(-0.08, -0.44, 0.06, 0.24), _WHITE, 0.4)


def mushroom(pen: Pen, rng: np.random.Generator) -> Look:
    """A mushroom with a spotted or plain cap."""
    cap, word = pick(rng, "red", "brown", "orange", "red", "purple")
    tall = rng.uniform(0.0, 0.12)
    half = np.array([(0.0, -0.06), (0.24, -0.06), (0.22, 0.4), (0.34, 0.84), (0.22, 0.96)])
    pen.fill(smooth(np.concatenate([half, mirror(half)[:0:-1]])), (240, 228, 204))
    pen.tint(smooth([(0.06, 0.0), (0.22, 0.0), (0.22, 0.4), (0.34, 0.84), (0.14, 0.92)]), _SHADE, 0.16)
    pen.fill(ellipse(0, 0.04, 0.86, 0.17), (226, 204, 172))
    for x in np.linspace(-0.66, 0.66, 9):
        pen.line([(x * 0.4, 0.1), (x, 0.12 - 0.06 * abs(x))], (184, 156, 128), 0.02)
    rim = smooth([(0.98, 0.02), (0.5, 0.08), (0.0, 0.05), (-0.5, 0.08), (-0.98, 0.02)], closed=False)
    dome = np.concatenate([arc(0, 0.02, 0.98, 0.84 + tall, 180, 360), rim])
    pen.fill(dome, cap)
    if word in ("red", "orange", "purple") or rng.random() < 0.4:
        for x, y, r in (
            (-0.5, -0.34, 0.14),
            (0.02, -0.6, 0.15),
            (0.5, -0.4, 0.12),
            (0.1, -0.18, 0.12),
            (-0.24, -0.04, 0.07),
            (0.72, -0.1, 0.1),
            (-0.78, -0.08, 0.08),
        ):
            dx, dy = rng.uniform(-0.05, 0.05, 2)
            pen.tint(ellipse(x + dx, y + dy, r, r * 0.8), (255, 248, 236), 0.95, within=dome)
    pen.tint(ellipse(-0.36, -0.5, 0.3, 0.12, -32), _WHITE, 0.25, within=dome)
    return Look(word, "toadstool" if word == "red" else "")


def apple(pen: Pen, rng: np.random.Generator) -> Look:
    """An apple with a stalk and, mostly, a leaf."""
    skin, word = pick(rng, "red", "red", "green", "yellow")
    skin = (168, 200, 78) if word == "green" else skin
    half = np.array(
        [(0.0, -0.44), (0.3, -0.6), (0.68, -0.52), (0.88, -0.12), (0.76, 0.42), (0.4, 0.88), (0.14, 0.86)]
    )
    body = smooth(np.concatenate([half, [(0.0, 0.82)], mirror(half)[:0:-1]]))
    pen.fill(body, skin)
    blush = PALETTE["red"] if word == "yellow" else lift(skin, -0.55)
    pen.tint(ellipse(0.56, 0.3, 0.5, 0.7), blush, 0.3, within=body)
    pen.tint(ellipse(0, -0.44, 0.3, 0.11), lift(skin, -0.6), 0.6, within=body)
    pen.tint(ellipse(-0.46, -0.2, 0.13, 0.26, 24), _WHITE, 0.65, within=body)
    pen.tint(ellipse(-0.58, 0.18, 0.06, 0.1, 10), _WHITE, 0.5, within=body)
    tip = rng.uniform(-0.1, 0.16)
    pen.tube(smooth([(0, -0.42), (0.02, -0.66), (tip, -0.94)], closed=False), (116, 78, 50), 0.06)
    if rng.random() < 0.85:
        leaf = smooth([(0.04, -0.62), (0.2, -0.88), (0.58, -0.92), (0.42, -0.66)])
        pen.fill(leaf, jitter(rng, _LEAF))
        pen.line([(0.1, -0.66), (0.46, -0.84)], lift(_LEAF, -0.35), 0.022)
    return Look(word)
