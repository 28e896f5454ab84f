"""Label maps laid over pictures: filled areas, outlines, names and a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..schemas.labelmap import BACKGROUND, IGNORE, LabelMap
from .palette import RGB, colours_of, ink_on

_VEIL: Final[RGB] = (12, 14, 16)
_IGNORED: Final[RGB] = (128, 128, 128)
_ANCHOR_SIDE: Final[int] = 72
_WIDEST_NAME: Final[float] = 0.6  # of the picture's width

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class OverlayStyle:
    """How a label map is laid over its picture.

    Args:
        fill: opacity of the areas, 0..1.
        dim: opacity of the dark veil over what has no label, 0..1.
        outline: width of the outlines in pixels of the drawn picture; 0 leaves them out.
        font_size: height of the names in pixels; 0 leaves them out.
        min_fraction: areas below this share of the picture get no name.
    """

    fill: float = 0.5
    dim: float = 0.35
    outline: int = 2
    font_size: int = 13
    min_fraction: float = 0.004


@dataclass(frozen=True)
class Tag:
    """Where the name of a label belongs: the deepest point of its area, as fractions of width and height."""

    name: str
    x: float
    y: float
    fraction: float


def names_in(label_map: LabelMap) -> list[str]:
    """Return the names that occur in the map, largest area first, without background and ignored pixels."""
    counts = np.bincount(label_map.labels.ravel(), minlength=IGNORE + 1)[: len(label_map.names)]
    order = np.argsort(-counts, kind="stable").tolist()
    return list(dict.fromkeys(label_map.names[i] for i in order if counts[i] and i != BACKGROUND))


def resized_labels(labels: NDArray[np.uint16], width: int, height: int) -> NDArray[np.uint16]:
    """Return the labels at another size by nearest neighbour, so that no new label appears."""
    if labels.shape == (height, width):
        return labels
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(np.intp)
    return labels[rows[:, None], columns]


def overlay_layer(
    label_map: LabelMap,
    colours: Mapping[str, RGB],
    size: tuple[int, int] | None = None,
    style: OverlayStyle = OverlayStyle(),
) -> NDArray[np.uint8]:
    """Return the transparent layer that lies over the picture.

    Args:
        label_map: (H, W) labels with names.
        colours: a colour for every name that occurs, see `colours_of`.
        size: (width, height) of the layer; default that of the map.
        style: opacity of areas and width of outlines.

    Returns:
        (height, width, 4) uint8 RGBA. Background is veiled; ignored pixels are grey diagonal stripes. A map
        without any label gives a layer that is transparent everywhere.

    Raises:
        KeyError: a name that occurs has no colour.
    """
    width, height = size or (label_map.labels.shape[1], label_map.labels.shape[0])
    labels = resized_labels(label_map.labels, width, height)
    paint = np.zeros((IGNORE + 1, 4), np.uint8)
    for index in set(np.unique(labels).tolist()) - {BACKGROUND, IGNORE}:
        paint[index] = (*colours[label_map.names[index]], round(255 * style.fill))
    paint[IGNORE] = (*_IGNORED, round(255 * style.fill))
    if (labels != BACKGROUND).any():
        paint[BACKGROUND] = (*_VEIL, round(255 * style.dim))
    layer = paint[labels]
    layer[_edges(labels, style.outline) & (labels != BACKGROUND) & (labels != IGNORE), 3] = 255
    layer[(labels == IGNORE) & ~_stripes(height, width)] = 0
    return layer


def tags(label_map: LabelMap, min_fraction: float = OverlayStyle.min_fraction) -> list[Tag]:
    """Return one tag per name that covers at least `min_fraction` of the picture, largest first."""
    height, width = label_map.labels.shape
    scale = min(1.0, _ANCHOR_SIDE / max(height, width))
    small = resized_labels(label_map.labels, max(1, round(width * scale)), max(1, round(height * scale)))
    counts = np.bincount(label_map.labels.ravel(), minlength=IGNORE + 1)
    found = []
    for name in names_in(label_map):
        # Two ids may share a name where a map was put together from several vocabularies.
        ids = [i for i, other in enumerate(label_map.names) if other == name and i != BACKGROUND]
        fraction = float(counts[ids].sum()) / label_map.labels.size
        area = np.isin(small, ids)
        if fraction >= min_fraction and area.any():
            x, y = _deepest(area)
            found.append(Tag(name, x, y, fraction))
    return found


def draw_overlay(
    image: NDArray[np.uint8],
    label_map: LabelMap,
    colours: Mapping[str, RGB] | None = None,
    style: OverlayStyle = OverlayStyle(),
) -> NDArray[np.uint8]:
    """Draw a label map over its picture.

    Args:
        image: (H, W, 3) uint8 RGB; the map is brought to this size by nearest neighbour.
        label_map: labels with names.
        colours: a colour per name; default `colours_of` the names that occur.
        style: opacity, outlines and size of the names.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: the image is not (H, W, 3) uint8.
        KeyError: a name that occurs has no colour.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}")
    chosen = colours_of(names_in(label_map)) if colours is None else colours
    size = (image.shape[1], image.shape[0])
    canvas = Image.fromarray(image).convert("RGBA")
    canvas.alpha_composite(Image.fromarray(overlay_layer(label_map, chosen, size, style)))
    picture = canvas.convert("RGB")
    if style.font_size:
        _write_names(picture, tags(label_map, style.min_fraction), chosen, style.font_size)
    return np.asarray(picture)


def draw_legend(
    names: Sequence[str], colours: Mapping[str, RGB], width: int, font_size: int = 14
) -> Image.Image:
    """Draw coloured squares with their names, in lines of at most `width` pixels, on white."""
    font = ImageFont.load_default(font_size)
    step, row = round(font_size * 1.5), round(font_size * 1.9)
    x = y = 0
    places = []
    lines = [_one_line(name) for name in names]
    for line in lines:
        wide = step + round(font.getlength(line)) + step
        if x and x + wide - step > width:
            x, y = 0, y + row
        places.append((x, y))
        x += wide
    picture = Image.new("RGB", (width, y + row), "white")
    draw = ImageDraw.Draw(picture)
    for name, line, (left, top) in zip(names, lines, places, strict=True):
        middle = top + row // 2
        half = font_size // 2
        draw.rounded_rectangle(
            (left, middle - half, left + 2 * half, middle + half), half // 2, colours[name]
        )
        draw.text((left + step, middle), line, (45, 45, 45), font, anchor="lm")
    return picture


def _edges(labels: NDArray[np.uint16], width: int) -> NDArray[np.bool_]:
    """Pixels within `width` of a pixel with another label; the frame of the picture is no edge."""
    edges = np.zeros(labels.shape, np.bool_)
    for step in range(1, width + 1):
        down = labels[step:] != labels[:-step]
        across = labels[:, step:] != labels[:, :-step]
        edges[step:] |= down
        edges[:-step] |= down
        edges[:, step:] |= across
        edges[:, :-step] |= across
    return edges


def _stripes(height: int, width: int) -> NDArray[np.bool_]:
    stripes: NDArray[np.bool_] = (np.add.outer(np.arange(height), np.arange(width)) // 4) % 2 == 0
    return stripes


def _deepest(area: NDArray[np.bool_]) -> tuple[float, float]:
    """Erode until nothing is left; the last pixels to go are the deepest."""
    core = np.pad(area, 1)
    inside = core[1:-1, 1:-1]
    last = area
    while inside.any():
        last = inside.copy()
        inside[:] = last & core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
    rows, columns = np.nonzero(last)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return float(columns[nearest] + 0.5) / area.shape[1], float(rows[nearest] + 0.5) / area.shape[0]


def _one_line(name: str) -> str:
    return " ".join(name.split())


def _write_names(picture: Image.Image, places: Sequence[Tag], colours: Mapping[str, RGB], size: int) -> None:
    """Write each name at its tag, or above or below where the name of a larger area is there."""
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    pad = max(2, size // 4)
    half_h = size / 2 + pad
    room = max(_WIDEST_NAME * picture.width, min(8 * size, picture.width)) - 2 * pad
    taken: list[tuple[float, float, float]] = []
    for tag in places:
        text = _shortened(_one_line(tag.name), font, room)
        half_w = font.getlength(text) / 2 + pad
        x = min(max(tag.x * picture.width, half_w), max(half_w, picture.width - half_w))
        y = min(max(tag.y * picture.height, half_h), max(half_h, picture.height - half_h))
        rows = [row for other, row, half in taken if abs(other - x) < half + half_w]
        y = _free_row(y, 2 * half_h + 2, rows, picture.height)
        taken.append((x, y, half_w))
        draw.rounded_rectangle((x - half_w, y - half_h, x + half_w, y + half_h), pad, colours[tag.name])
        draw.text((x, y), text, ink_on(colours[tag.name]), font, anchor="mm")


def _shortened(text: str, font: _Font, room: float) -> str:
    """Return the text, with an ellipsis for its end where it is wider than `room` pixels."""
    if font.getlength(text) <= room:
        return text
    kept = next((n for n in range(1, len(text)) if font.getlength(text[:n] + "…") > room), len(text)) - 1
    return text[:kept].rstrip() + "…"


def _free_row(y: float, tall: float, rows: Sequence[float], height: int) -> float:
    """Return the middle nearest to `y` of a row, `tall` pixels high, off all `rows`; `y` if none is free."""
    beside = [row + way * tall for row in rows for way in (-1, 1)]
    within = [row for row in beside if tall / 2 <= row <= height - tall / 2]
    free = [row for row in (y, *within) if all(abs(row - other) >= tall - 1e-6 for other in rows)]
    return min(free, key=lambda row: abs(row - y), default=y)
