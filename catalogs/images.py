"""Image files to pixels: every fault of a file is a ``SampleError``, none of them a warning or a crash."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..schemas.errors import ErrorReason, SampleError

# Raster formats only: Pillow would hand EPS to Ghostscript. Not every build of Pillow reads all of them.
Image.init()
FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
    if name in Image.OPEN
)

# First bytes of files that are images, though cut too short for Pillow to tell.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")

# What Pillow's decoders raise over damaged data.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)

_ORIENTATION = 0x0112
MAX_PIXELS = 100_000_000


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode an image file as it is meant to be seen.

    EXIF rotation is applied; gray, palette, CMYK and YCbCr become RGB; 16-bit gray is scaled to 8 bits;
    transparent pixels lie over white; of an animation, the first frame counts. ICC profiles are not applied.

    Args:
        data: a file in one of ``FORMATS``.
        max_pixels: width x height above which nothing is decoded; the header is enough to tell.

    Returns:
        (H, W, 3) uint8 RGB, contiguous and writable.

    Raises:
        SampleError: EMPTY_FILE, NOT_AN_IMAGE (including 32-bit pixels, which have no fixed range), TOO_LARGE
            or TRUNCATED_IMAGE (the header can be read and the pixels cannot).
    """
    if not data:
        raise SampleError(ErrorReason.EMPTY_FILE, "0 bytes")
    _quiet_pillow()
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise SampleError(
            ErrorReason.TOO_LARGE, f"{width} x {height} pixels, the limit is {max_pixels:,} pixels"
        )
    if image.mode in ("F", "I"):
        raise SampleError(ErrorReason.NOT_AN_IMAGE, f"pixels of mode {image.mode!r} have no fixed range")
    try:
        image.load()
        pixels = _rgb(image)
    except _DAMAGE as err:
        raise SampleError(ErrorReason.TRUNCATED_IMAGE, f"{image.format} cannot be decoded: {err}") from err
    return np.ascontiguousarray(_upright(pixels, _orientation(image)))


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as err:
        raise SampleError(ErrorReason.TOO_LARGE, str(err)) from err
    except UnidentifiedImageError as err:
        if data.startswith(_SIGNATURES):
            raise SampleError(
                ErrorReason.TRUNCATED_IMAGE, f"the header ends after {len(data)} bytes"
            ) from err
        raise SampleError(ErrorReason.NOT_AN_IMAGE, f"begins with {data[:12]!r}") from err
    except _DAMAGE as err:
        raise SampleError(ErrorReason.TRUNCATED_IMAGE, f"damaged header: {err}") from err


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 as stored, before rotation."""
    if image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.uint32)
        return np.repeat(((gray + 128) // 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return np.array(Image.alpha_composite(white, layered).convert("RGB"))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) where it is missing or damaged."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if value in range(1, 9) else 1


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation (EXIF 2.3, tag 0x0112): 5 to 8 are stored with rows and columns swapped."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _quiet_pillow() -> None:
    """Silence, in this process, what Pillow says about damaged files: their ``errors`` rows say it."""
    pattern = r"PIL\."
    if not any(getattr(entry[3], "pattern", None) == pattern for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=pattern)
