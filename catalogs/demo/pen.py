"""A pen that paints shaded shapes on a transparent, supersampled layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from .colours import RGB, lift
from .shapes import Points, PointsLike, turn

_EDGE = 0.034  # outline width in units; about 2 px on a thing 120 px wide
_MARGIN = 1.46  # half the layer in units: a unit square turned by 45 degrees plus its outline
_GRADIENT_FROM = 900  # px; smaller shapes are filled flat, nobody sees their gradient


@dataclass(frozen=True)
class Pose:
    """How a drawing is laid on its layer: side length in px, clockwise turn in degrees, mirrored or not."""

    side: int
    degrees: float = 0.0
    flip: bool = False


class Pen:
    """Draws in the unit square of `shapes`; shapes are lit from above and have an outline."""

    def __init__(self, pose: Pose) -> None:
        self._supersample = 3 if pose.side <= 150 else 2
        self._scale = pose.side * self._supersample / 2.0
        self._pose = pose
        size = int(np.ceil(2.0 * _MARGIN * self._scale))
        self._centre = size / 2.0
        self.layer = Image.new("RGBA", (size, size), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.layer)

    def fill(self, outline: PointsLike, colour: RGB, *, edge: RGB | None = None, depth: float = 0.14) -> None:
        """Fill a closed outline with `colour`, lighter above and darker below by `depth`, and ink its rim."""
        self.flat(outline, colour, depth=depth)
        self.line(np.concatenate([outline, outline[:2]]), edge or lift(colour, -0.52), _EDGE)

    def flat(self, outline: PointsLike, colour: RGB, *, depth: float = 0.0) -> None:
        """Fill a closed outline without a rim."""
        pixels = self._to_pixels(outline)
        box = self._box(pixels)
        if depth == 0.0 or (box[2] - box[0]) * (box[3] - box[1]) < _GRADIENT_FROM:
            self._draw.polygon(pixels.ravel().tolist(), fill=(*colour, 255))
            return
        ramp = np.linspace((*lift(colour, depth), 255), (*lift(colour, -depth), 255), box[3] - box[1])
        sheet = Image.fromarray(ramp.astype(np.uint8)[:, None]).resize(
            (box[2] - box[0], box[3] - box[1]), Image.Resampling.NEAREST
        )
        self.layer.paste(sheet, box, _mask(pixels, box, 255))

    def tint(self, outline: PointsLike, colour: RGB, alpha: float, within: PointsLike | None = None) -> None:
        """Lay `colour` over what is there with opacity `alpha`, cut to `within` and to what is painted."""
        pixels = self._to_pixels(outline)
        box = self._box(pixels)
        if box[2] <= box[0] or box[3] <= box[1]:
            return
        cover = _mask(pixels, box, round(255 * alpha))
        cover = ImageChops.multiply(cover, self.layer.crop(box).getchannel("A"))
        if within is not None:
            cover = ImageChops.multiply(cover, _mask(self._to_pixels(within), box, 255))
        self.layer.paste((*colour, 255), box, cover)

    def line(self, points: PointsLike, colour: RGB, width: float = _EDGE) -> None:
        """Draw an open line with round ends, `width` in units (never thinner than one final pixel)."""
        pixels = self._to_pixels(points)
        thick = max(self._supersample, round(width * self._scale))
        # Spans of a dense thin curve overlap; corners and thick curves need joints, or wedges show.
        jointed = len(pixels) < 14 or width > 2.0 * _EDGE
        self._draw.line(pixels.ravel().tolist(), (*colour, 255), thick, "curve" if jointed else None)
        radius = thick / 2.0 - 0.5
        for x, y in (pixels[0].tolist(), pixels[-1].tolist()):
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), (*colour, 255))

    def tube(self, points: PointsLike, colour: RGB, width: float) -> None:
        """Draw an inked line: legs, tails, stems and handles."""
        self.line(points, lift(colour, -0.52), width + 2.0 * _EDGE)
        self.line(points, colour, width)

    def cut(self) -> Image.Image:
        """Return the drawing reduced to its final size (RGBA) and cropped to what is not transparent."""
        step = self._supersample
        x0, y0, x1, y1 = self.layer.getbbox() or (0, 0, step, step)
        x0, y0 = x0 - x0 % step, y0 - y0 % step
        x1, y1 = x1 + -(x1 - x0) % step, y1 + -(y1 - y0) % step
        return self.layer.crop((x0, y0, x1, y1)).reduce(step)

    def _to_pixels(self, points: PointsLike) -> Points:
        units = np.asarray(points, dtype=np.float64)
        if self._pose.flip:
            units = units * (-1.0, 1.0)
        if self._pose.degrees:
            units = turn(units, self._pose.degrees)
        return units * self._scale + self._centre

    def _box(self, pixels: Points) -> tuple[int, int, int, int]:
        low = np.maximum(np.floor(pixels.min(axis=0)), 0.0)
        high = np.minimum(np.ceil(pixels.max(axis=0)) + 1.0, self.layer.width)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _mask(pixels: Points, box: tuple[int, int, int, int], value: int) -> Image.Image:
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(mask).polygon((pixels - box[:2]).ravel().tolist(), fill=value)
    return mask
