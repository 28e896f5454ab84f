"""Colours that belong to names, the same in every picture, page and legend."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from typing import Final

RGB = tuple[int, int, int]

# Twenty hues that stay apart on photographs and in both page themes; more names go on round the hue circle.
PALETTE: Final[tuple[RGB, ...]] = (
    (230, 85, 60),
    (38, 139, 210),
    (62, 166, 83),
    (240, 178, 40),
    (148, 87, 200),
    (23, 178, 170),
    (226, 83, 148),
    (140, 108, 66),
    (118, 150, 240),
    (158, 190, 38),
    (196, 62, 62),
    (0, 110, 140),
    (250, 140, 100),
    (96, 96, 190),
    (20, 130, 100),
    (200, 150, 220),
    (190, 120, 20),
    (90, 190, 230),
    (170, 40, 120),
    (120, 130, 60),
)
_TURN: Final[float] = 0.61803398875  # golden section: successive hues never come close


def colours_of(names: Iterable[str]) -> dict[str, RGB]:
    """Give every distinct name a colour; the same set of names gets the same colours in any order."""
    return {name: _colour(i) for i, name in enumerate(sorted(set(names)))}


def ink_on(colour: RGB) -> RGB:
    """Return near-black or white, whichever stands out more on the colour (WCAG 2 relative luminance)."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (16, 16, 16) if luminance > 0.179 else (255, 255, 255)


def _colour(index: int) -> RGB:
    if index < len(PALETTE):
        return PALETTE[index]
    lap = index - len(PALETTE)
    red, green, blue = colorsys.hls_to_rgb(lap * _TURN % 1.0, (0.45, 0.6, 0.35)[lap % 3], 0.6)
    return round(red * 255), round(green * 255), round(blue * 255)
