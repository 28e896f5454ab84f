"""Named colours with a little chance in them, and the two operations the drawings need on colours."""

from __future__ import annotations

from typing import Final

import numpy as np

RGB = tuple[int, int, int]

PALETTE: Final[dict[str, RGB]] = {
    "red": (214, 66, 58),
    "orange": (238, 140, 56),
    "yellow": (246, 200, 70),
    "green": (98, 164, 88),
    "teal": (52, 152, 152),
    "blue": (68, 122, 200),
    "purple": (138, 98, 176),
    "pink": (236, 136, 164),
    "brown": (148, 100, 66),
    "white": (242, 240, 234),
    "grey": (146, 152, 160),
    "black": (66, 64, 72),
}
_SHADE: Final = np.array((34.0, 24.0, 54.0))
_LIGHT: Final = np.array((255.0, 252.0, 240.0))


def pick(rng: np.random.Generator, *words: str) -> tuple[RGB, str]:
    """Choose one of the `PALETTE` words and return its colour, jittered, with the word."""
    word = words[int(rng.integers(len(words)))]
    return jitter(rng, PALETTE[word]), word


def jitter(rng: np.random.Generator, colour: RGB, amount: int = 14) -> RGB:
    """Return `colour` up to `amount` levels lighter or darker, and half of that warmer or colder."""
    moves = rng.uniform(-amount, amount, 4)
    return _rgb(np.asarray(colour) + moves[0] + 0.5 * moves[1:])


def lift(colour: RGB, amount: float) -> RGB:
    """Move `colour` towards a warm white (`amount` > 0) or a violet dark (`amount` < 0); |amount| in [0, 1].

    Shadows that turn violet rather than black keep flat illustration colours lively.
    """
    base = np.asarray(colour, dtype=np.float64)
    return _rgb(base + ((_LIGHT if amount > 0 else _SHADE) - base) * abs(amount))


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Return the colour `share` of the way from `first` to `second`."""
    return _rgb(np.asarray(first) * (1.0 - share) + np.asarray(second) * share)


def _rgb(values: np.ndarray) -> RGB:
    red, green, blue = np.clip(values, 0, 255).astype(int).tolist()
    return red, green, blue
