"""Drawings of a cat, a bird, a fish and a butterfly."""

from __future__ import annotations

import numpy as np

from .colours import PALETTE, RGB, lift, pick
from .looks import Look
from .pen import Pen
from .shapes import arc, ellipse, mirror, rect, smooth

_WHITE: RGB = (255, 255, 255)
_PUPIL: RGB = (36, 32, 42)
_NOSE: RGB = (226, 130, 140)


def cat(pen: Pen, rng: np.random.Generator) -> Look:
    """A cat that sits and looks at you, or walks by."""
    fur, word = pick(rng, "orange", "grey", "black", "white", "brown", "orange")
    stripes = rng.random() < 0.6 and word not in ("white", "black")
    if rng.random() < 0.55:
        _sitting(pen, fur, stripes)
        _cat_head(pen, rng, fur, (0.0, -0.46), stripes)
    else:
        _walking(pen, fur, stripes)
        _cat_head(pen, rng, fur, (0.56, -0.36), stripes)
    return Look(word, "kitten" if rng.random() < 0.5 else "kitty")


def _sitting(pen: Pen, fur: RGB, stripes: bool) -> None:
    pen.tube(
        smooth([(0.36, 0.84), (0.74, 0.8), (0.84, 0.44), (0.72, 0.16), (0.86, -0.02)], closed=False),
        fur,
        0.15,
    )
    half = [(0.0, -0.3), (0.28, -0.12), (0.4, 0.28), (0.52, 0.62), (0.46, 0.92), (0.16, 0.97)]
    body = smooth(np.concatenate([np.array(half), mirror(half)[:0:-1]]))
    pen.fill(body, fur)
    if stripes:
        for y in (0.12, 0.32, 0.52):
            for side in (-1, 1):
                mark = np.array([(0.62, y - 0.05), (0.24, y + 0.02), (0.62, y + 0.07)]) * (side, 1)
                pen.tint(mark, lift(fur, -0.5), 0.6, within=body)
    pen.tint(ellipse(0, 0.12, 0.2, 0.32), _WHITE, 0.55, within=body)
    for side in (-1, 1):
        pen.fill(
            smooth([(0.02 * side, 0.5), (0.2 * side, 0.5), (0.2 * side, 0.96), (0.03 * side, 0.96)]),
            lift(fur, 0.14),
        )
        pen.tint(ellipse(0.11 * side, 0.92, 0.1, 0.06), _WHITE, 0.6)


def _walking(pen: Pen, fur: RGB, stripes: bool) -> None:
    pen.tube(smooth([(-0.6, 0.0), (-0.84, -0.16), (-0.86, -0.5), (-0.68, -0.74)], closed=False), fur, 0.13)
    for x0, x1 in ((-0.36, -0.26), (0.4, 0.5)):
        pen.tube([(x0, 0.2), (x1, 0.78)], lift(fur, -0.22), 0.13)
    for x0, x1 in ((-0.52, -0.6), (0.26, 0.2)):
        pen.tube([(x0, 0.2), (x1, 0.82)], fur, 0.14)
    outline = [
        (-0.66, -0.06),
        (-0.4, -0.2),
        (0.1, -0.16),
        (0.46, -0.3),
        (0.62, -0.04),
        (0.48, 0.3),
        (0.0, 0.36),
    ]
    body = smooth([*outline, (-0.5, 0.36), (-0.7, 0.2)])
    pen.fill(body, fur)
    for x, wide in ((-0.52, 0.1), (0.26, 0.075)):
        pen.flat(ellipse(x, 0.3, wide, 0.13), lift(fur, -0.08))
    if stripes:
        for x in (-0.42, -0.2, 0.02, 0.24):
            pen.tint(
                [(x - 0.05, -0.3), (x + 0.06, -0.3), (x + 0.02, 0.12)], lift(fur, -0.5), 0.6, within=body
            )
    pen.tint(ellipse(0.0, 0.36, 0.46, 0.14), _WHITE, 0.4, within=body)


def _cat_head(pen: Pen, rng: np.random.Generator, fur: RGB, at: tuple[float, float], stripes: bool) -> None:
    for side in (-1, 1):
        ear = np.array([(0.38, -0.02), (0.36, -0.5), (0.05, -0.26)]) * (side, 1) + at
        pen.fill(ear, fur)
        pen.flat((ear - ear.mean(axis=0)) * 0.5 + ear.mean(axis=0), _NOSE)
    half = np.array([(0, -0.3), (0.27, -0.25), (0.42, 0.02), (0.28, 0.25), (0, 0.31)])
    head = smooth(np.concatenate([half, mirror(half)[3:0:-1]]) + at)
    pen.fill(head, fur, depth=0.1)
    if stripes:
        for x in (-0.12, 0.0, 0.12):
            pen.tint(
                np.array([(x - 0.035, -0.34), (x + 0.035, -0.34), (x, -0.12)]) + at,
                lift(fur, -0.5),
                0.7,
                head,
            )
    pen.tint(ellipse(at[0], at[1] + 0.17, 0.19, 0.13), _WHITE, 0.65, within=head)
    iris = ((150, 200, 90), (240, 200, 80), (120, 190, 220))[int(rng.integers(3))]
    for side in (-1, 1):
        x, y = at[0] + 0.18 * side, at[1] - 0.02
        pen.fill(ellipse(x, y, 0.085, 0.095), iris, edge=_PUPIL, depth=0)
        pen.flat(ellipse(x, y, 0.035, 0.08), _PUPIL)
        for tilt in (-0.04, 0.05):
            pen.line(
                [(at[0] + 0.2 * side, at[1] + 0.14), (at[0] + 0.52 * side, at[1] + 0.12 + 2 * tilt)],
                _whisker(fur),
                0.014,
            )
    pen.fill(np.array([(-0.05, 0.08), (0.05, 0.08), (0, 0.13)]) + at, _NOSE)
    for side in (-1, 1):
        pen.line(arc(at[0] + 0.06 * side, at[1] + 0.15, 0.06, 0.06, 10, 170), _PUPIL, 0.02)


def _whisker(fur: RGB) -> RGB:
    return (90, 80, 84) if sum(fur) > 330 else (214, 210, 210)


def bird(pen: Pen, rng: np.random.Generator) -> Look:
    """A small bird, perched or on the wing."""
    coat, word = pick(rng, "blue", "red", "yellow", "green", "brown", "orange", "teal", "white")
    flying = rng.random() < 0.4
    feather = lift(coat, -0.26)
    tail = [(-0.4, 0.12), (-0.98, 0.16), (-0.9, 0.3), (-1.0, 0.42), (-0.4, 0.42)]
    pen.fill(tail, feather)
    if flying:
        pen.fill(
            smooth([(0.2, 0.0), (0.3, -0.5), (0.1, -0.98), (-0.1, -0.5), (-0.22, 0.1)]), lift(feather, -0.2)
        )
    else:
        for x in (-0.02, 0.18):
            pen.line([(x, 0.5), (x + 0.02, 0.88)], (204, 124, 50), 0.045)
            pen.line([(x - 0.1, 0.9), (x + 0.02, 0.86), (x + 0.14, 0.9)], (204, 124, 50), 0.045)
    pen.fill([(0.66, -0.44), (1.0, -0.3), (0.66, -0.22)], (244, 168, 52))
    outline = [
        (0.4, -0.68),
        (0.68, -0.54),
        (0.76, -0.3),
        (0.66, 0.1),
        (0.42, 0.44),
        (0.02, 0.58),
        (-0.4, 0.46),
    ]
    body = smooth([*outline, (-0.62, 0.26), (-0.36, 0.04), (0.0, -0.2), (0.14, -0.5)])
    pen.fill(body, coat)
    breast = PALETTE["orange"] if word in ("blue", "brown") and rng.random() < 0.6 else _WHITE
    pen.tint(ellipse(0.5, 0.22, 0.34, 0.46, 30), breast, 0.65, within=body)
    pen.fill(ellipse(0.5, -0.38, 0.075), _WHITE, edge=_PUPIL, depth=0)
    pen.flat(ellipse(0.52, -0.38, 0.045), _PUPIL)
    _bird_wing(pen, feather, flying)
    return Look(word, "" if flying else "songbird", flies=flying)


def _bird_wing(pen: Pen, feather: RGB, flying: bool) -> None:
    if flying:
        wing = smooth(
            [
                (0.26, 0.1),
                (0.12, -0.34),
                (-0.3, -0.94),
                (-0.52, -0.9),
                (-0.5, -0.4),
                (-0.3, 0.14),
                (0.0, 0.28),
            ]
        )
        ribs = (((-0.4, -0.78), (-0.1, 0.0)), ((-0.42, -0.44), (-0.14, 0.1)))
    else:
        wing = smooth([(0.24, 0.02), (0.16, 0.26), (-0.2, 0.4), (-0.78, 0.34), (-0.46, 0.12), (-0.06, -0.1)])
        ribs = (((-0.56, 0.3), (0.0, 0.18)), ((-0.42, 0.2), (0.06, 0.06)))
    pen.fill(wing, feather)
    for start, stop in ribs:
        pen.line([start, stop], lift(feather, -0.35), 0.025)


def fish(pen: Pen, rng: np.random.Generator) -> Look:
    """A fish with stripes, scales or a plain coat."""
    skin, word = pick(rng, "orange", "blue", "yellow", "red", "teal", "purple", "green", "grey", "pink")
    fin = (
        lift(skin, -0.2) if rng.random() < 0.5 else pick(rng, "orange", "yellow", "blue", "purple", "red")[0]
    )
    tall = rng.uniform(0.42, 0.58)
    tail = smooth([(-0.44, 0), (-0.78, -0.32), (-1.0, -0.46), (-0.9, 0), (-1.0, 0.46), (-0.78, 0.32)])
    pen.fill(tail, fin)
    pen.fill(
        smooth([(0.36, -tall * 0.8), (0.06, -tall - 0.32), (-0.34, -tall - 0.12), (-0.42, -tall * 0.4)]), fin
    )
    pen.fill(smooth([(0.1, tall * 0.8), (-0.14, tall + 0.26), (-0.34, tall + 0.1), (-0.26, tall * 0.5)]), fin)
    half = np.array(
        [(-0.62, -0.04), (-0.3, -tall * 0.76), (0.18, -tall), (0.66, -tall * 0.72), (0.94, -0.08)]
    )
    body = smooth(np.concatenate([half, half[::-1] * (1, -1)]))
    pen.fill(body, skin)
    _fish_coat(pen, rng, skin, body)
    pen.tint(ellipse(0.2, tall * 1.05, 0.7, tall * 0.5), _WHITE, 0.4, within=body)
    pen.line(arc(0.38, 0.0, 0.14, tall * 0.62, -75, 75), lift(skin, -0.45), 0.03)
    pen.fill(smooth([(0.22, 0.08), (-0.1, 0.02), (-0.16, 0.26), (0.12, 0.24)]), lift(fin, -0.08))
    pen.fill(ellipse(0.68, -0.13, 0.12), _WHITE, edge=_PUPIL, depth=0)
    pen.flat(ellipse(0.71, -0.13, 0.066), _PUPIL)
    pen.flat(ellipse(0.735, -0.16, 0.024), _WHITE)
    pen.line(arc(0.92, 0.08, 0.12, 0.07, 70, 170), lift(skin, -0.6), 0.03)
    return Look(word)


def _fish_coat(pen: Pen, rng: np.random.Generator, skin: RGB, body: np.ndarray) -> None:
    style = int(rng.integers(3))
    if style == 0:
        other = _WHITE if rng.random() < 0.6 else lift(skin, -0.6)
        for x in (-0.36, -0.02, 0.3):
            pen.tint(rect(x - 0.07, -1, x + 0.07, 1, 0.03), other, 0.85, within=body)
    elif style == 1:
        for k, x in enumerate((-0.4, -0.24, -0.08, 0.08, 0.24)):
            for y in (-0.3, -0.12, 0.06, 0.24) if k % 2 else (-0.21, -0.03, 0.15):
                pen.line(arc(x, y, 0.08, 0.09, -70, 70), lift(skin, -0.32), 0.022)


def butterfly(pen: Pen, rng: np.random.Generator) -> Look:
    """A butterfly from above with its wings spread."""
    upper, word = pick(rng, "orange", "blue", "yellow", "purple", "pink", "red", "teal")
    lower = (
        lift(upper, 0.25) if rng.random() < 0.5 else pick(rng, "yellow", "orange", "pink", "teal", "blue")[0]
    )
    dark = lift(upper, -0.72)
    low = np.array([(0.04, 0.06), (0.5, 0.04), (0.8, 0.34), (0.66, 0.74), (0.36, 0.84), (0.12, 0.44)])
    high = np.array(
        [(0.04, 0.02), (0.14, -0.4), (0.5, -0.82), (0.92, -0.88), (0.99, -0.5), (0.7, -0.06), (0.3, 0.12)]
    )
    for side in (1, -1):
        for knots, colour, hub in ((low, lower, (0.46, 0.42)), (high, upper, (0.56, -0.42))):
            wing = smooth(knots * (side, 1))
            centre = np.array(hub) * (side, 1)
            pen.fill(wing, dark, depth=0)
            pen.flat((wing - centre) * 0.8 + centre, colour, depth=0.16)
            pen.flat((wing - centre) * 0.36 + centre, lift(colour, 0.5))
            pen.flat(ellipse(centre[0] * 1.06, centre[1], 0.055), dark)
        for x, y in ((0.86, -0.7), (0.9, -0.5), (0.68, 0.42), (0.6, 0.64)):
            pen.flat(ellipse(x * side, y, 0.035), _WHITE)
        feeler = smooth([(0.02 * side, -0.3), (0.1 * side, -0.6), (0.26 * side, -0.76)], closed=False)
        pen.line(feeler, (60, 46, 54), 0.03)
        pen.flat(ellipse(0.26 * side, -0.76, 0.04), (60, 46, 54))
    pen.fill(ellipse(0, 0.12, 0.075, 0.44), (84, 62, 60))
    pen.fill(ellipse(0, -0.32, 0.1, 0.09), (84, 62, 60))
    return Look(word, flies=True)
