"""Drawings of a car, a bus and a boat."""

from __future__ import annotations

import numpy as np

from .colours import PALETTE, RGB, lift, pick
from .looks import Look
from .pen import Pen
from .shapes import arc, ellipse, rect, smooth

_GLASS: RGB = (176, 214, 232)
_RUBBER: RGB = (58, 56, 64)
_STEEL: RGB = (206, 210, 216)
_WHITE: RGB = (255, 255, 255)

_SEDAN = [
    (-0.98, 0.3),
    (-0.96, 0.02),
    (-0.86, -0.06),
    (-0.6, -0.1),
    (-0.4, -0.42),
    (-0.24, -0.5),
    (0.16, -0.5),
]
_SEDAN += [(0.32, -0.42), (0.56, -0.08), (0.86, -0.02), (0.98, 0.1), (0.98, 0.32), (0.9, 0.4), (-0.9, 0.4)]
_HATCH = [
    (-0.96, 0.3),
    (-0.95, -0.08),
    (-0.86, -0.42),
    (-0.68, -0.54),
    (0.06, -0.54),
    (0.26, -0.44),
    (0.52, -0.1),
]
_HATCH += [(0.84, -0.04), (0.97, 0.1), (0.97, 0.32), (0.9, 0.4), (-0.9, 0.4)]
_BEETLE = [
    (-0.98, 0.32),
    (-0.92, 0.04),
    (-0.72, -0.22),
    (-0.44, -0.5),
    (-0.1, -0.6),
    (0.24, -0.46),
    (0.46, -0.14),
]
_BEETLE += [(0.78, -0.08), (0.95, 0.1), (0.98, 0.32), (0.9, 0.4), (-0.9, 0.4)]
_BODIES = (_SEDAN, _HATCH, _BEETLE)
_WINDOWS = ((-0.5, -0.38, 0.5), (-0.82, -0.7, 0.46), (-0.56, -0.36, 0.4))


def car(pen: Pen, rng: np.random.Generator) -> Look:
    """A car from the side: saloon, hatchback or beetle."""
    paint, word = pick(
        rng, "red", "blue", "green", "yellow", "orange", "teal", "white", "grey", "purple", "black"
    )
    style = int(rng.integers(len(_BODIES)))
    body = smooth(_BODIES[style])
    pen.fill(body, paint)
    pen.tint(rect(-1, 0.22, 1, 0.45), lift(paint, -0.5), 0.4, within=body)
    for x in (-0.56, 0.58):
        pen.tint(ellipse(x, 0.36, 0.28), lift(paint, -0.75), 0.9, within=body)
    _car_windows(pen, paint, *_WINDOWS[style])
    pen.line([(-0.02, -0.06), (-0.02, 0.26)], lift(paint, -0.4), 0.02)
    pen.line([(0.06, 0.04), (0.16, 0.04)], lift(paint, -0.55), 0.035)
    pen.tint(smooth([(-0.85, 0.0), (0.4, -0.04), (0.86, 0.05), (0.3, 0.02)]), _WHITE, 0.45)
    pen.fill(ellipse(0.91, 0.1, 0.06, 0.08), (255, 240, 170))
    pen.fill(rect(-0.98, 0.04, -0.9, 0.18, 0.03), (190, 40, 44))
    for x in (-0.56, 0.58):
        _wheel(pen, x, 0.38, 0.22)
    return Look(word, "automobile")


def _car_windows(pen: Pen, paint: RGB, foot: float, head: float, front: float) -> None:
    glass = np.array(
        [(foot, -0.1), (head, -0.36), (-0.22 if head > -0.5 else head + 0.1, -0.42), (0.1, -0.42)]
    )
    glass = np.concatenate([glass, [(0.22, -0.36), (front - 0.04, -0.1)]])
    pen.fill(glass, _GLASS, edge=lift(paint, -0.6))
    pen.tint([(-0.3, -0.1), (-0.16, -0.42), (-0.06, -0.42), (-0.2, -0.1)], _WHITE, 0.55, within=glass)
    pen.tint([(0.14, -0.1), (0.26, -0.42), (0.3, -0.42), (0.2, -0.1)], _WHITE, 0.55, within=glass)
    pen.line([(-0.02, -0.43), (-0.02, -0.09)], lift(paint, -0.3), 0.06)


def _wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.fill(ellipse(x, y, radius), _RUBBER)
    pen.fill(ellipse(x, y, radius * 0.56), _STEEL)
    pen.flat(ellipse(x, y, radius * 0.2), (110, 114, 122))


def bus(pen: Pen, rng: np.random.Generator) -> Look:
    """A bus from the side, with one deck or two."""
    paint, word = pick(rng, "yellow", "red", "blue", "green", "orange", "white", "purple", "teal")
    double = rng.random() < 0.3
    left, top = (-0.9, -0.92) if double else (-1.0, -0.58)
    shell = rect(left, top, -left, 0.55, 0.13)
    pen.fill(shell, paint, depth=0.1)
    band, _ = pick(rng, "white", "grey", "red", "yellow", "blue", "black")
    if band != paint:
        pen.tint(rect(-1, 0.14, 1, 0.22 + 0.1 * rng.random()), band, 0.85, within=shell)
    pen.tint(rect(-1, 0.4, 1, 0.6), lift(paint, -0.6), 0.5, within=shell)
    pen.tint(rect(-1, top + 0.02, 1, top + 0.09), _WHITE, 0.4, within=shell)
    rows = (-0.78, -0.28) if double else (-0.4,)
    for y in rows:
        _bus_windows(pen, paint, left, y, doors=y == rows[-1])
    pen.fill(ellipse(-left - 0.06, 0.36, 0.05, 0.06), (255, 240, 170))
    pen.fill(rect(left + 0.02, 0.3, left + 0.08, 0.42), (190, 40, 44))
    for x in (left + 0.38, -left - 0.42):
        _wheel(pen, x, 0.56, 0.2)
    return Look(word, "coach")


def _bus_windows(pen: Pen, paint: RGB, left: float, y: float, doors: bool) -> None:
    edge = lift(paint, -0.62)
    count = 4
    step = (-left - 0.34 - (left + 0.1)) / count if doors else (-2 * left - 0.2) / (count + 1)
    for k in range(count if doors else count + 1):
        x = left + 0.1 + k * step
        glass = rect(x, y, x + step - 0.07, y + 0.36, 0.04)
        pen.fill(glass, _GLASS, edge=edge)
        pen.tint([(x, y + 0.36), (x + 0.2, y), (x + 0.3, y), (x + 0.1, y + 0.36)], _WHITE, 0.5, within=glass)
    if doors:
        pen.fill(rect(-left - 0.32, y, -left - 0.06, 0.42, 0.04), _GLASS, edge=edge)
        pen.line([(-left - 0.19, y + 0.02), (-left - 0.19, 0.4)], edge, 0.03)


def boat(pen: Pen, rng: np.random.Generator) -> Look:
    """A sailing boat, or a small steamer."""
    paint, word = pick(rng, "red", "blue", "brown", "green", "white", "orange", "teal", "black")
    if rng.random() < 0.65:
        _sails(pen, rng)
        kind = "sailboat"
        hull = smooth(
            [(-0.9, 0.42), (0, 0.48), (0.98, 0.36), (0.8, 0.66), (0.56, 0.88), (-0.56, 0.9), (-0.8, 0.7)]
        )
    else:
        _cabin(pen, rng)
        kind = "ship"
        hull = smooth(
            [(-0.98, 0.2), (0, 0.26), (0.99, 0.06), (0.86, 0.42), (0.66, 0.72), (-0.74, 0.74), (-0.92, 0.5)]
        )
    pen.fill(hull, paint)
    low = hull[:, 1].max()
    pen.tint(rect(-1, low - 0.14, 1, low), lift(paint, -0.6), 0.5, within=hull)
    pen.tint(rect(-1, low - 0.3, 1, low - 0.23), _WHITE, 0.85, within=hull)
    if kind == "ship":
        for x in (-0.5, -0.16, 0.18):
            pen.fill(ellipse(x, 0.38, 0.055), _GLASS, edge=lift(paint, -0.6))
    return Look(word, kind)


def _sails(pen: Pen, rng: np.random.Generator) -> None:
    cloth, word = pick(rng, "white", "white", "yellow", "orange", "red", "pink")
    other = lift(cloth, -0.12) if rng.random() < 0.5 else pick(rng, "white", "red", "blue", "yellow")[0]
    pen.tube([(0.02, -0.94), (0.02, 0.5)], (134, 94, 62), 0.035)
    main = np.concatenate(
        [smooth([(-0.05, -0.86), (-0.5, -0.3), (-0.82, 0.26)], closed=False), [(-0.05, 0.32)]]
    )
    jib = np.concatenate([smooth([(0.1, -0.7), (0.46, -0.2), (0.74, 0.22)], closed=False), [(0.1, 0.28)]])
    pen.fill(main, cloth, depth=0.12)
    pen.fill(jib, other, depth=0.12)
    stripe = PALETTE["red"] if word in ("white", "yellow") else PALETTE["white"]
    if rng.random() < 0.5:
        pen.tint(rect(-1, -0.16, 0, 0.0), stripe, 0.8, within=main)
    flag = smooth([(0.02, -0.98), (0.2, -0.94), (0.34, -0.98), (0.34, -0.84), (0.2, -0.8), (0.02, -0.84)])
    pen.fill(flag, pick(rng, "red", "blue", "yellow", "green")[0])


def _cabin(pen: Pen, rng: np.random.Generator) -> None:
    funnel, _ = pick(rng, "red", "orange", "yellow", "blue", "black")
    chimney = rect(-0.28, -0.82, 0.0, -0.3)
    pen.fill(chimney, funnel)
    pen.tint(rect(-0.28, -0.7, 0.0, -0.58), _WHITE, 0.9, within=chimney)
    pen.line(arc(-0.14, -0.82, 0.14, 0.03, 0, 360), (70, 64, 70), 0.05)
    pen.fill(rect(-0.62, -0.34, 0.36, 0.26, 0.04), (240, 236, 226))
    pen.fill(rect(-0.7, -0.4, 0.44, -0.3, 0.04), lift(funnel, 0.1))
    for x in (-0.52, -0.22, 0.08):
        pen.fill(rect(x, -0.18, x + 0.2, 0.04, 0.03), _GLASS)
    pen.tube([(0.66, 0.2), (0.66, -0.46)], (134, 94, 62), 0.03)
    pen.fill([(0.66, -0.5), (0.92, -0.42), (0.66, -0.32)], funnel)
