"""Drawings of a house, a kite, a guitar and a snowman."""

from __future__ import annotations

import numpy as np

from .colours import PALETTE, RGB, lift, pick
from .looks import Look
from .pen import Pen
from .shapes import ellipse, mirror, rect, smooth, turn

_WHITE: RGB = (255, 255, 255)
_WOOD: RGB = (142, 98, 62)
_COAL: RGB = (52, 50, 58)


def house(pen: Pen, rng: np.random.Generator) -> Look:
    """A house from the front: gable or hipped roof, one or two floors of windows, chimney or none."""
    wall, word = pick(rng, "white", "yellow", "blue", "pink", "teal", "orange", "green", "red", "grey")
    roof, _ = (
        pick(rng, "brown", "red", "black", "blue") if word != "red" else pick(rng, "black", "brown", "grey")
    )
    if rng.random() < 0.7:
        pen.fill(rect(0.34, -0.86, 0.58, -0.2), (170, 100, 84))
        pen.fill(rect(0.3, -0.92, 0.62, -0.8), lift((170, 100, 84), -0.2))
    body = rect(-0.8, -0.1, 0.8, 0.94)
    pen.fill(body, wall, depth=0.1)
    if rng.random() < 0.6:
        for y in np.arange(0.08, 0.9, 0.13):
            pen.tint(rect(-0.8, y, 0.8, y + 0.025), lift(wall, -0.6), 0.28, within=body)
    pen.tint(rect(-0.8, -0.1, 0.8, 0.06), (40, 28, 60), 0.3, within=body)
    gable = rng.random() < 0.6
    _roof(pen, roof, gable)
    if gable and rng.random() < 0.7:
        pen.fill(ellipse(0, -0.34, 0.13), _pane(rng), edge=lift(roof, -0.6))
    _door_and_windows(pen, rng)
    pen.fill(rect(-0.86, 0.88, 0.86, 0.98), (150, 144, 140))
    return Look(word, "cottage" if gable else "home")


def _roof(pen: Pen, colour: RGB, gable: bool) -> None:
    top = [(0.0, -0.98), (0.0, -0.98)] if gable else [(-0.62, -0.74), (0.62, -0.74)]
    outline = [(-0.99, -0.04), *top, (0.99, -0.04)]
    pen.fill(outline, colour)
    for y in np.arange(-0.8, -0.1, 0.16):
        pen.tint(rect(-1, y, 1, y + 0.03), lift(colour, -0.7), 0.35, within=outline)
    pen.tint([(0.1, -1), (1.1, -1), (1, 0), (0.45, 0)], (40, 28, 60), 0.16, within=outline)


def _pane(rng: np.random.Generator) -> RGB:
    return (255, 226, 140) if rng.random() < 0.3 else (172, 212, 232)


def _door_and_windows(pen: Pen, rng: np.random.Generator) -> None:
    door, _ = pick(rng, "brown", "red", "green", "blue", "teal", "purple")
    middle = rng.random() < 0.6
    x = 0.0 if middle else -0.42
    pen.fill(rect(x - 0.19, 0.36, x + 0.19, 0.92, 0.04), door)
    pen.tint(rect(x - 0.11, 0.44, x + 0.11, 0.62, 0.02), _WHITE, 0.35)
    pen.flat(ellipse(x + 0.12, 0.68, 0.03), (250, 214, 110))
    pane = _pane(rng)
    for wx in (-0.52, 0.52) if middle else (0.08, 0.52):
        _window(pen, wx, 0.42, 0.17 if middle else 0.15, pane)
    if not middle and rng.random() < 0.5:
        _window(pen, -0.42, 0.14, 0.12, pane)


def _window(pen: Pen, x: float, y: float, half: float, pane: RGB) -> None:
    pen.fill(rect(x - half, y - half, x + half, y + half), pane, edge=(250, 248, 240))
    pen.line([(x, y - half), (x, y + half)], (250, 248, 240), 0.035)
    pen.line([(x - half, y), (x + half, y)], (250, 248, 240), 0.035)
    pen.line(
        rect(x - half - 0.03, y - half - 0.03, x + half + 0.03, y + half + 0.03)[[0, 1, 2, 3, 0]],
        (92, 76, 84),
        0.02,
    )
    pen.fill(rect(x - half - 0.05, y + half, x + half + 0.05, y + half + 0.06), (236, 230, 220))


def kite(pen: Pen, rng: np.random.Generator) -> Look:
    """A diamond kite of two cloths with a tail of bows."""
    first, word = pick(rng, "red", "blue", "green", "purple", "orange", "pink", "teal")
    second, _ = pick(rng, "yellow", "white", "orange" if word != "orange" else "blue")
    wide = rng.uniform(0.52, 0.68)
    tip, right, foot, left = (0.0, -1.0), (wide, -0.36), (0.0, 0.42), (-wide, -0.36)
    hub = (0.0, -0.36)
    bend = rng.uniform(0.14, 0.3)
    knots = [foot, (bend, 0.54), (0.0, 0.68), (-bend, 0.8), (0.0, 0.94), (bend, 1.04), (0.06, 1.16)]
    tail = smooth(knots, closed=False)
    pen.line(tail, (88, 70, 84), 0.04)
    for k, at in enumerate((8, 24, 40)):
        _bow(pen, tail[at], 40.0 * (-1) ** k, first if k % 2 else second)
    for k, pair in enumerate(((tip, right), (right, foot), (foot, left), (left, tip))):
        pen.flat([*pair, hub], first if k % 2 else second, depth=0.12)
    pen.line([tip, foot], lift(first, -0.5), 0.035)
    pen.line([left, right], lift(first, -0.5), 0.035)
    pen.line([tip, right, foot, left, tip, right], lift(first, -0.5), 0.045)
    pen.tint([tip, right, foot], (40, 28, 60), 0.1)
    return Look(word, flies=True)


def _bow(pen: Pen, at: np.ndarray, degrees: float, colour: RGB) -> None:
    for side in (1, -1):
        wing = np.array([(0.0, 0.0), (0.17 * side, -0.09), (0.17 * side, 0.09)])
        pen.fill(turn(wing, degrees) + at, colour)


def guitar(pen: Pen, rng: np.random.Generator) -> Look:
    """An acoustic guitar seen from the front, standing upright."""
    wood, word = pick(rng, "orange", "brown", "brown", "red", "yellow", "black", "blue")
    half = [
        (0.0, -0.2),
        (0.22, -0.24),
        (0.37, -0.1),
        (0.36, 0.1),
        (0.29, 0.24),
        (0.4, 0.42),
        (0.5, 0.66),
        (0.4, 0.9),
    ]
    right = np.array([*half, (0.16, 0.99)])
    body = smooth(np.concatenate([right, mirror(right)[:0:-1]]))
    pen.fill(body, lift(wood, -0.35), depth=0.08)
    pen.flat(body * (0.9, 0.93) + (0.0, 0.028), wood, depth=0.16)
    pen.fill(ellipse(0, 0.26, 0.18), lift(wood, 0.45), depth=0)
    pen.flat(ellipse(0, 0.26, 0.135), (48, 34, 34))
    pen.tint(smooth([(0.12, 0.4), (0.26, 0.3), (0.34, 0.5), (0.2, 0.62)]), (60, 30, 30), 0.6, within=body)
    _neck(pen)
    pen.fill(rect(-0.2, 0.62, 0.2, 0.71, 0.03), (74, 48, 40))
    for x in (-0.05, -0.017, 0.017, 0.05):
        pen.line([(x, -0.8), (x, 0.66)], (236, 230, 214), 0.008)
    pen.tint(smooth([(-0.3, 0.5), (-0.2, 0.4), (-0.26, 0.66), (-0.34, 0.72)]), _WHITE, 0.4, within=body)
    return Look(word if word in ("red", "black", "blue") else "", "acoustic guitar")


def _neck(pen: Pen) -> None:
    pen.fill(rect(-0.085, -0.8, 0.085, 0.14), (84, 56, 46))
    for y in np.arange(-0.7, 0.1, 0.11):
        pen.line([(-0.075, y), (0.075, y)], (214, 196, 160), 0.014)
    for y in (-0.96, -0.88, -0.8):
        pen.line([(-0.2, y + 0.02), (0.2, y + 0.02)], (120, 112, 116), 0.06)
    pen.fill([(-0.14, -1.02), (0.14, -1.02), (0.1, -0.74), (-0.1, -0.74)], _WOOD)


def snowman(pen: Pen, rng: np.random.Generator) -> Look:
    """A snowman with a hat, a scarf and arms of sticks."""
    snow = (240, 246, 252)
    edge = (128, 148, 182)
    raise_left, raise_right = rng.uniform(-0.5, 0.05, 2)
    for side, lifted in ((-1, raise_left), (1, raise_right)):
        elbow, hand = (0.56 * side, -0.1 + lifted * 0.4), (0.8 * side, -0.12 + lifted)
        pen.line([(0.26 * side, -0.04), elbow, hand], (104, 72, 52), 0.05)
        pen.line([elbow, (0.72 * side, elbow[1] + 0.06)], (104, 72, 52), 0.035)
    for y, radius in ((0.52, 0.48), (-0.1, 0.35)):
        ball = ellipse(0, y, radius, radius * 0.97)
        pen.fill(ball, snow, edge=edge, depth=0.0)
        pen.tint(ellipse(radius * 0.3, y + radius * 0.36, radius), (150, 178, 222), 0.34, within=ball)
        pen.tint(ellipse(-radius * 0.2, y - radius * 0.2, radius * 0.85), _WHITE, 0.8, within=ball)
    for y in (-0.08, 0.14, 0.4):
        pen.flat(ellipse(0.0, y, 0.045), _COAL)
    _snow_head(pen, rng, snow, edge)
    return Look()


def _snow_head(pen: Pen, rng: np.random.Generator, snow: RGB, edge: RGB) -> None:
    scarf, _ = pick(rng, "red", "blue", "green", "purple", "orange", "pink")
    pen.fill(ellipse(0, -0.52, 0.27, 0.26), snow, edge=edge, depth=0.06)
    pen.fill(smooth([(-0.24, -0.36), (0.24, -0.36), (0.27, -0.24), (0, -0.19), (-0.27, -0.24)]), scarf)
    pen.fill([(0.1, -0.26), (0.25, -0.28), (0.3, 0.06), (0.16, 0.08)], lift(scarf, -0.1))
    for x in (-0.1, 0.1):
        pen.flat(ellipse(x, -0.58, 0.036, 0.042), _COAL)
    pen.line(smooth([(-0.11, -0.43), (0, -0.39), (0.11, -0.43)], closed=False), _COAL, 0.025)
    pen.fill([(0.0, -0.55), (0.3, -0.47), (0.0, -0.46)], PALETTE["orange"])
    hat = _COAL if rng.random() < 0.6 else pick(rng, "purple", "brown", "blue", "red")[0]
    pen.fill([(-0.2, -1.04), (0.2, -1.04), (0.18, -0.72), (-0.18, -0.72)], hat)
    pen.flat(rect(-0.185, -0.82, 0.185, -0.73), scarf)
    pen.fill(ellipse(0, -0.72, 0.34, 0.05), hat)
