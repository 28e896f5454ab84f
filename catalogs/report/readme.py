"""One picture that shows what comes out: scenes in columns; photograph, pseudo-mask and student in rows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...schemas.errors import ConfigError
from ...schemas.labelmap import LabelMap
from ..overlay import OverlayStyle, draw_legend, draw_overlay, names_in, resized_labels
from ..palette import RGB, colours_of
from .items import GalleryItem

_MOST_COLUMNS = 5
_MARGIN, _GAP = 24, 12
_LINE = 21
_TEXT, _SOFT = (28, 30, 33), (95, 101, 109)
_LIMIT = 500_000  # bytes; a README loads on every visit
_TRIES = ((1600, 256), (1600, 128), (1600, 64), (1280, 128), (1280, 64), (960, 64))  # width, colours


def readme_picture(items: Sequence[GalleryItem], path: Path) -> Path:
    """Draw up to five items with captions and a legend as a PNG below 500 kB, 1600 px wide where that fits.

    Args:
        items: with teacher maps, student maps or both; a row that nobody has is left out.
        path: the PNG file.

    Returns:
        `path`.

    Raises:
        ValueError: there is no item.
        ConfigError: `path` cannot be written.
    """
    if not items:
        raise ValueError("a picture needs at least one item")
    for width, colours in _TRIES:
        body = io.BytesIO()
        sheet = _Sheet(tuple(items[:_MOST_COLUMNS]), width)
        _reduced(sheet.draw(), colours, tuple(sheet.colours.values())).save(body, "PNG", optimize=True)
        if body.tell() < _LIMIT:
            break
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.getvalue())
    except OSError as err:
        raise ConfigError(f"picture {str(path)!r} cannot be written: {err}") from err
    return path


@dataclass(frozen=True)
class _Sheet:
    """The layout; every cell has 4:3, pictures are cut to it about their centre."""

    items: tuple[GalleryItem, ...]
    width: int

    @property
    def cell(self) -> tuple[int, int]:
        free = self.width - 2 * _MARGIN - (len(self.items) - 1) * _GAP
        wide = min(free // len(self.items), 420)
        return wide, round(wide * 0.75)

    @property
    def rows(self) -> list[tuple[str, list[LabelMap | None]]]:
        both = [
            ("pseudo-mask", [item.teacher for item in self.items]),
            ("student", [item.student for item in self.items]),
        ]
        return [(name, maps) for name, maps in both if any(m is not None for m in maps)]

    @property
    def colours(self) -> dict[str, RGB]:
        return colours_of(n for _, maps in self.rows for m in maps if m is not None for n in names_in(m))

    def draw(self) -> Image.Image:
        wide, tall = self.cell
        rows, colours = self.rows, self.colours
        width = 2 * _MARGIN + len(self.items) * (wide + _GAP) - _GAP
        legend = draw_legend(list(colours), colours, width - 2 * _MARGIN, 17)
        head = _MARGIN + tall + 3 * _LINE
        height = head + len(rows) * (tall + _LINE + _GAP + 4) + legend.height + _MARGIN
        sheet = Image.new("RGB", (width, height), "white")
        for column, item in enumerate(self.items):
            x = _MARGIN + column * (wide + _GAP)
            sheet.paste(self._photo(item), (x, _MARGIN))
            self._write_caption(sheet, item, (x, _MARGIN + tall + 6))
            for row, (name, maps) in enumerate(rows):
                y = head + row * (tall + _LINE + _GAP + 4)
                self._paste_map(sheet, item, maps[column], (x, y), colours)
                self._write_score(sheet, name, item, (x, y + tall + 4))
        sheet.paste(legend, (_MARGIN, height - legend.height - _MARGIN // 2))
        return sheet

    def _photo(self, item: GalleryItem) -> Image.Image:
        picture = Image.fromarray(item.image)
        return picture.crop(self._box(picture.width, picture.height)).resize(
            self.cell, Image.Resampling.LANCZOS
        )

    def _box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The largest 4:3 box about the centre."""
        wide, tall = min(width, round(height * 4 / 3)), min(height, round(width * 3 / 4))
        left, top = (width - wide) // 2, (height - tall) // 2
        return left, top, left + wide, top + tall

    def _paste_map(
        self,
        sheet: Image.Image,
        item: GalleryItem,
        label_map: LabelMap | None,
        at: tuple[int, int],
        colours: Mapping[str, RGB],
    ) -> None:
        if label_map is None:
            return
        height, width = item.image.shape[:2]
        left, top, right, bottom = self._box(width, height)
        labels = resized_labels(label_map.labels, width, height)[top:bottom, left:right]
        labels = resized_labels(labels, *self.cell)
        shown = LabelMap(labels, np.ones(labels.shape, np.float16), label_map.names)
        style = OverlayStyle(font_size=15, min_fraction=0.01)
        drawn = draw_overlay(np.asarray(self._photo(item)), shown, colours, style)
        sheet.paste(Image.fromarray(drawn), at)

    def _write_caption(self, sheet: Image.Image, item: GalleryItem, at: tuple[int, int]) -> None:
        font = ImageFont.load_default(15)
        caption = item.captions[0] if item.captions else item.key
        lines = wrap(caption, font, self.cell[0], 2)
        for i, text in enumerate(lines):
            ImageDraw.Draw(sheet).text((at[0], at[1] + i * _LINE), text, _TEXT, font)

    def _write_score(self, sheet: Image.Image, name: str, item: GalleryItem, at: tuple[int, int]) -> None:
        score = item.scores[name == "student"]
        words = name if score is None else f"{name}, mIoU {100 * score:.0f}"
        ImageDraw.Draw(sheet).text(at, words, _SOFT, ImageFont.load_default(15))


def _reduced(picture: Image.Image, count: int, exact: Sequence[RGB]) -> Image.Image:
    """Reduce to a palette; the colours of classes and text stay exact, though few pixels have them."""
    kept = [(255, 255, 255), _TEXT, _SOFT, *exact][: count // 2]
    palette = picture.quantize(count - len(kept)).getpalette() or []
    holder = Image.new("P", (1, 1))
    holder.putpalette([*palette[: 3 * (count - len(kept))], *(part for colour in kept for part in colour)])
    return picture.quantize(palette=holder, dither=Image.Dither.NONE)


def wrap(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, most: int) -> list[str]:
    """Break words into at most `most` lines of `width` pixels; what does not fit ends in three dots."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    cut = lines[:most]
    if len(lines) > most:
        cut[-1] += "..."
    return [_shorten(line, font, width) for line in cut]


def _shorten(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    while font.getlength(line) > width and len(line) > 4:
        line = line.removesuffix("...")[:-1].rstrip() + "..."
    return line
