"""Small pictures as WebP data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 74


def fit(width: int, height: int, side: int) -> tuple[int, int]:
    """Return (width, height) with the longer side at most `side`; nothing is enlarged."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def photo_uri(image: NDArray[np.uint8], side: int) -> str:
    """Return a photograph (H, W, 3), its longer side at most `side` pixels, as a lossy data URI."""
    size = fit(image.shape[1], image.shape[0], side)
    small = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    return _uri(small, lossless=False)


def layer_uri(layer: NDArray[np.uint8]) -> str:
    """Return a flat-coloured layer (H, W, 4) as a lossless data URI; a few kilobytes each."""
    return _uri(Image.fromarray(layer), lossless=True)


def _uri(picture: Image.Image, *, lossless: bool) -> str:
    body = io.BytesIO()
    picture.save(body, "WEBP", lossless=lossless, quality=100 if lossless else _QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(body.getvalue()).decode("ascii")
