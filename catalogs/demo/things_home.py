"""Drawings of a cup, a chair, a clock, an umbrella and a lamp."""

from __future__ import annotations

import numpy as np

from .colours import RGB, lift, pick
from .looks import Look
from .pen import Pen
from .shapes import arc, ellipse, mirror, rect, shift, smooth, turn

_WHITE: RGB = (255, 255, 255)
_SHADE: RGB = (40, 28, 60)
_BRASS: RGB = (206, 164, 84)
_INK: RGB = (56, 52, 62)
_COFFEE: RGB = (110, 70, 48)


def cup(pen: Pen, rng: np.random.Generator) -> Look:
    """A mug, or a teacup on its saucer, with something to drink in it."""
    glaze, word = pick(rng, "white", "blue", "red", "yellow", "green", "pink", "teal", "orange", "purple")
    tea = rng.random() < 0.35
    if tea:
        pen.fill(ellipse(0, 0.66, 0.98, 0.17), lift(glaze, -0.05))
        pen.flat(ellipse(0, 0.64, 0.6, 0.09), lift(glaze, -0.22))
        handle = [(0.5, -0.16), (0.86, -0.24), (0.92, 0.08), (0.4, 0.28)]
        side = [(0.66, -0.36), (0.62, 0.08), (0.44, 0.44), (0.24, 0.62)]
        top, wide = -0.36, 0.66
    else:
        handle = [(0.42, -0.3), (0.84, -0.36), (0.9, 0.2), (0.42, 0.38)]
        side = [(0.58, -0.66), (0.57, -0.1), (0.54, 0.5), (0.44, 0.78)]
        top, wide = -0.66, 0.58
    pen.tube(smooth(handle, closed=False), lift(glaze, -0.08), 0.13)
    right = smooth(side, closed=False)
    foot = arc(0, right[-1, 1], right[-1, 0], 0.08, 0, 180)
    body = np.concatenate([right, foot, mirror(right)[::-1]])
    pen.fill(body, glaze, depth=0.1)
    _glaze_marks(pen, rng, word, body, (right[0, 1], right[-1, 1]))
    pen.tint(rect(0.24, -1, 0.7, 1), _SHADE, 0.16, within=body)
    pen.tint(rect(-wide * 0.76, top + 0.2, -wide * 0.56, 0.34, 0.08), _WHITE, 0.55, within=body)
    pen.fill(ellipse(0, top, wide, 0.15), lift(glaze, 0.2))
    pen.flat(
        ellipse(0, top + 0.02, wide - 0.08, 0.1), _COFFEE if rng.random() < 0.7 else (206, 150, 84), depth=0.1
    )
    return Look(word, "teacup" if tea else "mug")


def _glaze_marks(
    pen: Pen, rng: np.random.Generator, word: str, body: np.ndarray, span: tuple[float, float]
) -> None:
    style = int(rng.integers(4))
    ink, _ = (
        pick(rng, "red", "blue", "yellow", "teal")
        if word == "white"
        else pick(rng, "white", "white", "yellow")
    )
    middle = span[0] * 0.45 + span[1] * 0.55
    if style == 0:
        for dy in (-0.12, 0.08):
            pen.tint(rect(-1, middle + dy, 1, middle + dy + 0.1), ink, 0.85, within=body)
    elif style == 1:
        for x, dy in ((-0.36, -0.1), (-0.12, 0.12), (0.12, -0.1), (0.36, 0.12)):
            pen.tint(ellipse(x, middle + dy, 0.085), ink, 0.85, within=body)
    elif style == 2:
        heart = smooth([(0, -0.08), (0.14, -0.18), (0.24, -0.04), (0, 0.24), (-0.24, -0.04), (-0.14, -0.18)])
        pen.tint(shift(heart, 0, middle), ink, 0.9, within=body)


def chair(pen: Pen, rng: np.random.Generator) -> Look:
    """A wooden chair seen a little from the side, with slats or a solid back, cushioned or bare."""
    wood, word = pick(rng, "brown", "brown", "orange", "white", "red", "blue", "green", "yellow", "black")
    dark = lift(wood, -0.16)
    for x, foot in ((-0.46, 0.8), (0.4, 0.8)):
        pen.tube([(x, 0.1), (x + 0.02, foot)], dark, 0.085)
    pen.tube([(-0.38, 0.66), (0.56, 0.66)], dark, 0.04)
    _backrest(pen, rng, wood)
    for x in (-0.46, 0.4):
        pen.tube([(x, -0.9), (x, 0.16)], wood, 0.095)
    for x, top in ((-0.38, 0.3), (0.62, 0.3)):
        pen.tube([(x, top), (x, 0.94)], wood, 0.1)
    seat = np.array([(-0.54, 0.08), (0.46, 0.08), (0.74, 0.32), (-0.48, 0.32)])
    pen.fill(np.array([(-0.48, 0.3), (0.74, 0.3), (0.74, 0.42), (-0.48, 0.42)]), dark)
    pen.fill(seat, lift(wood, 0.1))
    if rng.random() < 0.45:
        cloth, _ = pick(rng, "red", "blue", "teal", "yellow", "pink", "green")
        pen.fill(
            smooth([(-0.46, 0.04), (0, -0.02), (0.44, 0.04), (0.68, 0.26), (0.1, 0.3), (-0.42, 0.26)]), cloth
        )
    return Look(word if word not in ("brown", "orange") else "wooden")


def _backrest(pen: Pen, rng: np.random.Generator, wood: RGB) -> None:
    style = int(rng.integers(3))
    if style == 0:
        for y in (-0.74, -0.46, -0.18):
            pen.fill(rect(-0.46, y - 0.08, 0.4, y + 0.08), lift(wood, 0.06))
    elif style == 1:
        for x in (-0.25, -0.03, 0.19):
            pen.tube([(x, -0.7), (x, 0.1)], lift(wood, 0.06), 0.065)
        pen.fill(rect(-0.5, -0.9, 0.44, -0.66, 0.06), wood)
    else:
        pen.fill(
            smooth([(-0.44, -0.8), (-0.03, -0.96), (0.38, -0.8), (0.38, -0.2), (-0.44, -0.2)]),
            lift(wood, 0.06),
        )
        pen.tint(ellipse(-0.03, -0.52, 0.16, 0.2), lift(wood, -0.6), 0.35)


def clock(pen: Pen, rng: np.random.Generator) -> Look:
    """A round wall clock, or an alarm clock with two bells; the hands show a random time."""
    frame, word = pick(rng, "red", "blue", "teal", "brown", "yellow", "green", "black", "orange", "pink")
    alarm = rng.random() < 0.45
    at, radius = ((0.0, 0.16), 0.74) if alarm else ((0.0, 0.0), 0.97)
    if alarm:
        for side in (-1, 1):
            pen.tube([(0.36 * side, 0.7), (0.56 * side, 0.96)], lift(frame, -0.3), 0.11)
            bell = turn(
                np.concatenate([arc(0, 0, 0.3, 0.27, 180, 360), [(0.3, 0.04), (-0.3, 0.04)]]), 36 * side
            )
            pen.fill(shift(bell, 0.46 * side, -0.56), _BRASS)
        pen.tube([(0, -0.5), (0, -0.8)], lift(frame, -0.3), 0.06)
        pen.tube([(-0.12, -0.84), (0.12, -0.84)], lift(frame, -0.3), 0.07)
    pen.fill(ellipse(*at, radius), frame, depth=0.25)
    pen.fill(ellipse(*at, radius * 0.8), (252, 248, 236), edge=lift(frame, -0.5), depth=0.05)
    _dial(pen, rng, at, radius * 0.8)
    pen.tint(arc(*at, radius * 0.9, radius * 0.9, 190, 260), _WHITE, 0.25)
    return Look(word, "alarm clock" if alarm else "")


def _dial(pen: Pen, rng: np.random.Generator, at: tuple[float, float], radius: float) -> None:
    for hour in range(12):
        long = 0.7 if hour % 3 == 0 else 0.8
        mark = turn(np.array([(0.0, -0.9 * radius), (0.0, -long * radius)]), 30.0 * hour)
        pen.line(mark + at, _INK, 0.055 if hour % 3 == 0 else 0.03)
    minute = int(rng.integers(12)) * 30.0
    hours = int(rng.integers(12)) + minute / 360.0
    pen.line(turn(np.array([(0, 0.06), (0, -0.46 * radius)]), hours * 30.0) + at, _INK, 0.085)
    pen.line(turn(np.array([(0, 0.08), (0, -0.72 * radius)]), minute) + at, _INK, 0.055)
    pen.flat(ellipse(*at, 0.07), (204, 62, 56))


def umbrella(pen: Pen, rng: np.random.Generator) -> Look:
    """An open umbrella of one or two colours with a hooked handle."""
    first, word = pick(rng, "red", "blue", "yellow", "green", "purple", "pink", "orange", "teal", "black")
    second = (
        first
        if rng.random() < 0.35
        else pick(rng, "white", "yellow" if word != "yellow" else "red", "white")[0]
    )
    crook = smooth([(0, -0.1), (0, 0.5), (0.01, 0.8), (0.14, 0.95), (0.28, 0.84), (0.28, 0.72)], closed=False)
    pen.tube(crook, (146, 98, 62), 0.055)
    pen.tube([(0, -0.94), (0, -0.78)], (146, 98, 62), 0.045)
    count, top, low = int(rng.integers(5, 8)), -0.84, 0.08
    bend = np.linspace(0.0, np.pi / 2, 9)
    for k in range(count):
        hem = [-0.99 * np.cos(np.pi * j / count) for j in (k, k + 1)]
        ribs = [np.stack([x * np.sin(bend), top + (low - top) * (1 - np.cos(bend))], axis=1) for x in hem]
        scallop = arc((hem[0] + hem[1]) / 2, low, (hem[1] - hem[0]) / 2, 0.1, 180, 360)
        colour = second if k % 2 else first
        gore = np.concatenate([ribs[0], scallop, ribs[1][::-1]])
        pen.fill(gore, lift(colour, 0.14 - 0.3 * k / (count - 1)), edge=lift(first, -0.5), depth=0.12)
    pen.tint(ellipse(-0.42, -0.4, 0.3, 0.1, -42), _WHITE, 0.3)
    return Look(word, "parasol" if rng.random() < 0.3 else "")


def lamp(pen: Pen, rng: np.random.Generator) -> Look:
    """A table lamp with a cloth shade, or a jointed desk lamp."""
    shade, word = pick(rng, "yellow", "white", "red", "teal", "green", "orange", "pink", "blue", "purple")
    base, _ = pick(rng, "blue", "teal", "brown", "grey", "white", "pink", "black")
    if rng.random() < 0.25:
        _desk_lamp(pen, shade)
        return Look(word, "desk lamp")
    pen.tube([(0, -0.2), (0, 0.8)], _BRASS, 0.06)
    if rng.random() < 0.65:
        half = np.array([(0.0, 0.04), (0.12, 0.06), (0.16, 0.2), (0.36, 0.48), (0.3, 0.76), (0.16, 0.86)])
        vase = smooth(np.concatenate([half, mirror(half)[:0:-1]]))
        pen.fill(vase, base)
        pen.tint(ellipse(-0.14, 0.46, 0.06, 0.18, 10), _WHITE, 0.5, within=vase)
    pen.fill(ellipse(0, 0.9, 0.42, 0.08), _BRASS)
    narrow = rng.uniform(0.3, 0.5)
    cloth = np.concatenate([[(-narrow, -0.96), (narrow, -0.96)], arc(0, -0.04, 0.76, 0.09, 0, 180)])
    pen.fill(cloth, shade, depth=0.0)
    pen.tint(
        smooth([(-0.3, -0.8), (0.3, -0.8), (0.56, 0.0), (-0.56, 0.0)]), (255, 244, 190), 0.45, within=cloth
    )
    pen.tint(
        smooth([(-0.14, -0.6), (0.14, -0.6), (0.36, 0.0), (-0.36, 0.0)]), (255, 252, 226), 0.5, within=cloth
    )
    pen.line([(-narrow, -0.96), (narrow, -0.96)], lift(shade, -0.4), 0.06)
    pen.line(arc(0, -0.04, 0.76, 0.09, 0, 180), lift(shade, -0.4), 0.06)
    pen.line([(0.34, 0.04), (0.34, 0.3)], (120, 96, 60), 0.02)
    return Look(word, "table lamp")


def _desk_lamp(pen: Pen, metal: RGB) -> None:
    pen.fill(smooth([(-0.6, 0.94), (-0.5, 0.8), (-0.1, 0.74), (0.3, 0.8), (0.4, 0.94)]), metal)
    pen.tube([(-0.1, 0.78), (-0.46, 0.04), (0.2, -0.62)], (150, 154, 164), 0.07)
    for joint in ((-0.46, 0.04), (0.2, -0.62)):
        pen.fill(ellipse(*joint, 0.08), lift(metal, -0.3))
    head = np.array([(-0.14, -0.3), (0.14, -0.3), (0.2, -0.04), (0.44, 0.3), (-0.44, 0.3), (-0.2, -0.04)])
    pen.fill(ellipse(0.72, -0.2, 0.18), (255, 240, 160), depth=0)
    pen.fill(shift(turn(head, -42), 0.46, -0.52), metal)
