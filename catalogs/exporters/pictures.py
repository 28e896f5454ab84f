"""Image files as other tools can take them: upright, and in a format that all of them read."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...schemas.errors import CatalogError, SampleError
from ..images import MAX_PIXELS, decode_image
from .records import ExportRecord

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_ORIENTATION = 0x0112
_QUALITY = 95
# What Pillow raises over a header that it cannot read; the decoder then says what is wrong.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    struct.error,
    Image.DecompressionBombError,
)


def portable_image(record: ExportRecord, wanted: str) -> tuple[bytes, str]:
    """Return an image file and its suffix.

    Masks have the size of the image as displayed, and many tools do not apply an EXIF rotation. So an upright
    RGB or grey JPEG, PNG or WebP file of 8 bits goes as it lies; any other is decoded as it was labelled and
    written anew, as PNG, or as JPEG of quality 95 where it was a JPEG.

    Args:
        record: with an image.
        wanted: ``keep``, or ``jpg`` or ``png`` for every image.

    Raises:
        CatalogError: it is not the size of its masks, or cannot be decoded any more.
    """
    data = record.image or b""
    kind, plain, size = _header(data)
    fits = wanted == "keep" or _SUFFIXES.get(kind) == f".{wanted}"
    if plain and fits:
        _check(record, size)
        return data, _SUFFIXES[kind]
    pixels = _decoded(record)
    _check(record, (pixels.shape[1], pixels.shape[0]))
    as_jpeg = wanted == "jpg" or (wanted == "keep" and kind == "JPEG")
    packed = BytesIO()
    if as_jpeg:
        Image.fromarray(pixels).save(packed, "JPEG", quality=_QUALITY, subsampling=0)
    else:
        Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue(), ".jpg" if as_jpeg else ".png"


def _decoded(record: ExportRecord) -> NDArray[np.uint8]:
    try:
        return decode_image(record.image or b"", max_pixels=max(MAX_PIXELS, record.width * record.height))
    except SampleError as err:
        raise CatalogError(f"image {record.key!r} cannot be decoded any more: {err}") from err


def _header(data: bytes) -> tuple[str, bool, tuple[int, int]]:
    """Return the format, whether the file can go as it lies, and (width, height)."""
    try:
        with Image.open(BytesIO(data), formats=list(_SUFFIXES)) as image:
            upright = image.getexif().get(_ORIENTATION, 1) not in range(2, 9)
            still = getattr(image, "n_frames", 1) == 1
            plain = image.mode in ("RGB", "L") and not image.has_transparency_data
            return image.format or "", upright and still and plain, image.size
    except _UNREADABLE:
        return "", False, (0, 0)


def _check(record: ExportRecord, size: tuple[int, int]) -> None:
    if size != (record.width, record.height):
        raise CatalogError(
            f"image {record.key!r} is {size[0]} x {size[1]}, its masks are {record.width} x {record.height}"
        )
