from __future__ import annotations

import numpy as np

from maskmill.catalogs.palette import PALETTE, colours_of, ink_on


def test_colours_do_not_depend_on_the_order_of_the_names() -> None:
    assert colours_of(["cat", "bird", "cat"]) == colours_of(["bird", "cat"])
    assert colours_of(["bird", "cat"]) == {"bird": PALETTE[0], "cat": PALETTE[1]}


def test_two_hundred_names_have_two_hundred_colours() -> None:
    colours = colours_of(f"class {i:03d}" for i in range(200))
    assert len(set(colours.values())) == 200


def test_ink_stands_out_on_every_palette_colour() -> None:
    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    for colour in PALETTE:
        low, high = sorted((luminance(colour), luminance(ink_on(colour))))
        assert (high + 0.05) / (low + 0.05) >= 4.4
