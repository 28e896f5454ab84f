"""A sheet of heat maps: one row a class, one column a scale, each over the picture it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_TILE = 200
_GAP = 10
_INK = (40, 40, 40)
# Dark violet over red to light yellow, readable in grey and to the colour-blind.
_RAMP = np.array(
    [(0, 0, 4), (50, 10, 94), (120, 28, 109), (187, 55, 84), (237, 105, 37), (252, 180, 25), (252, 255, 164)],
    np.float32,
)


def draw_heat_sheet(
    image: NDArray[np.uint8], maps: Mapping[str, NDArray[np.float32]], names: Sequence[str]
) -> Image.Image:
    """Draw what each class looks like at each scale.

    A column is coloured from its own least to its own largest value over all classes, which stand above it:
    within a column colours compare, between columns they do not.

    Args:
        image: (H, W, 3) uint8 RGB.
        maps: title of a column -> (C, h, w), or (1, h, w) for what does not depend on the class.
        names: of the C classes.
    """
    width = min(_TILE, round(_TILE * image.shape[1] / image.shape[0]))
    height = max(1, round(width * image.shape[0] / image.shape[1]))
    font = ImageFont.load_default(13)
    left = _GAP + max(round(font.getlength(name)) for name in names) + _GAP
    top = 2 * _GAP + 32
    sheet = Image.new("RGB", (left + len(maps) * (width + _GAP), top + len(names) * (height + _GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS).convert("L")
    for row, name in enumerate(names):
        pen.text((left - _GAP, top + row * (height + _GAP) + height // 2), name, _INK, font, anchor="rm")
    for column, (title, values) in enumerate(maps.items()):
        x, low, high = left + column * (width + _GAP), float(values.min()), float(values.max())
        pen.text((x, _GAP), title, _INK, font)
        pen.text((x, _GAP + 17), f"{low:.3f} to {high:.3f}", (120, 120, 120), font)
        for row in range(len(values) if len(values) == len(names) else 1):
            tile = _tile(picture, values[row], low, high)
            sheet.paste(tile, (x, top + row * (height + _GAP)))
    return sheet


def _tile(picture: Image.Image, values: NDArray[np.float32], low: float, high: float) -> Image.Image:
    shown = Image.fromarray((values - low) / max(high - low, 1e-12)).resize(
        picture.size, Image.Resampling.BILINEAR
    )
    place = np.asarray(shown).clip(0, 1) * (len(_RAMP) - 1)
    below = np.minimum(place.astype(np.intp), len(_RAMP) - 2)
    share = (place - below)[..., None]
    colour = _RAMP[below] * (1 - share) + _RAMP[below + 1] * share
    light = 0.45 + 0.55 * np.asarray(picture, np.float32)[..., None] / 255
    return Image.fromarray((colour * light).round().astype(np.uint8))
