"""Small pictures as WebP, inside the page or as files beside it."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 74

# Takes the bytes of a picture and returns the URI under which the page finds it.
Place = Callable[[bytes], str]


def in_page(body: bytes) -> str:
    """Return a data URI: the page needs no other file."""
    return "data:image/webp;base64," + base64.b64encode(body).decode("ascii")


@dataclass(frozen=True)
class Beside:
    """Keeps pictures for a folder beside the page, named by their content.

    Args:
        folder: its name.
    """

    folder: str = "pictures"
    files: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, body: bytes) -> str:
        name = f"{hashlib.sha256(body).hexdigest()[:20]}.webp"
        self.files[name] = body
        return f"{self.folder}/{name}"


def fit(width: int, height: int, side: int) -> tuple[int, int]:
    """Return (width, height) with the longer side at most `side`; nothing is enlarged."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def photo_uri(image: NDArray[np.uint8], side: int, place: Place = in_page) -> str:
    """Return the URI of a photograph (H, W, 3), lossy, its longer side at most `side` pixels."""
    size = fit(image.shape[1], image.shape[0], side)
    small = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    return place(_webp(small, lossless=False))


def layer_uri(layer: NDArray[np.uint8], place: Place = in_page) -> str:
    """Return the URI of a flat-coloured layer (H, W, 4), lossless; a few kilobytes each."""
    return place(_webp(Image.fromarray(layer), lossless=True))


def _webp(picture: Image.Image, *, lossless: bool) -> bytes:
    body = io.BytesIO()
    picture.save(body, "WEBP", lossless=lossless, quality=100 if lossless else _QUALITY, method=4)
    return body.getvalue()
