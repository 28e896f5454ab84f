"""decode_image over the files that real corpora hold."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from maskmill.catalogs.images import decode_image
from maskmill.schemas.errors import ErrorReason, SampleError

LIMIT = 1_000_000
GRADIENT = np.linspace(0, 255, 20 * 30 * 3).astype(np.uint8).reshape(20, 30, 3)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reason_of(data: bytes, limit: int = LIMIT) -> ErrorReason:
    with pytest.raises(SampleError) as caught:
        decode_image(data, limit)
    return caught.value.reason


def test_rgb_comes_back_bit_by_bit() -> None:
    pixels = decode_image(encoded(Image.fromarray(GRADIENT)), LIMIT)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, GRADIENT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(GRADIENT), exif=exif)
    expected = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    np.testing.assert_array_equal(decode_image(data, LIMIT), np.asarray(expected))


def test_a_damaged_exif_block_leaves_the_image_upright() -> None:
    data = encoded(Image.fromarray(GRADIENT), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffjunk")
    assert decode_image(data, LIMIT).shape == (20, 30, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_becomes_rgb(mode: str) -> None:
    assert decode_image(encoded(Image.new(mode, (7, 5))), LIMIT).shape == (5, 7, 3)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L"])
def test_every_jpeg_mode_becomes_rgb(mode: str) -> None:
    red = Image.new("RGB", (8, 8), (200, 30, 30)).convert(mode)
    pixels = decode_image(encoded(red, "JPEG", quality=95), LIMIT)
    expected = np.asarray(red.convert("RGB"))
    assert pixels.shape == (8, 8, 3)
    assert np.abs(pixels.astype(int) - expected).max() <= 4


def test_16_bit_gray_is_scaled_to_8_bits() -> None:
    gray = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    pixels = decode_image(encoded(Image.fromarray(gray)), LIMIT)
    np.testing.assert_array_equal(pixels[0], np.repeat([[0], [1], [128], [255]], 3, axis=1))


def test_transparent_pixels_become_white() -> None:
    half_red = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    half_red.putpixel((1, 0), (255, 0, 0, 255))
    np.testing.assert_array_equal(decode_image(encoded(half_red), LIMIT)[0], [[255, 255, 255], [255, 0, 0]])


def test_a_transparent_palette_colour_becomes_white_without_a_warning() -> None:
    palette = Image.new("P", (3, 3), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    data = encoded(palette, transparency=bytes([255, 0]))
    np.testing.assert_array_equal(decode_image(data, LIMIT), np.full((3, 3, 3), 255))


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_image(data, LIMIT)[0, 0], [255, 0, 0])


def test_one_pixel_is_an_image() -> None:
    assert decode_image(encoded(Image.new("RGB", (1, 1))), LIMIT).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", ErrorReason.EMPTY_FILE),
        (b"<html>404 Not Found</html>", ErrorReason.NOT_AN_IMAGE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ErrorReason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", ErrorReason.TRUNCATED_IMAGE),
        (encoded(Image.fromarray(GRADIENT), "JPEG")[:-200], ErrorReason.TRUNCATED_IMAGE),
        (encoded(Image.fromarray(GRADIENT), "PNG")[:100], ErrorReason.TRUNCATED_IMAGE),
        (encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), ErrorReason.NOT_AN_IMAGE),
    ],
    ids=["empty", "html", "postscript", "jpeg header", "jpeg cut", "png cut", "float"],
)
def test_bad_files_have_a_reason(data: bytes, reason: ErrorReason) -> None:
    assert reason_of(data) == reason


def test_any_cut_of_a_file_is_a_sample_error_or_an_image() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        whole = encoded(Image.fromarray(GRADIENT), kind)
        for end in range(1, len(whole), 37):
            try:
                assert decode_image(whole[:end], LIMIT).shape == (20, 30, 3)
            except SampleError:
                continue


def test_any_flipped_byte_is_a_sample_error_or_an_image() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        whole = bytearray(encoded(Image.fromarray(GRADIENT), kind))
        for place in rng.integers(0, len(whole), 60):
            damaged = whole.copy()
            damaged[place] ^= 0xFF
            try:
                assert decode_image(bytes(damaged), LIMIT).ndim == 3
            except SampleError:
                continue


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    assert reason_of(encoded(Image.fromarray(GRADIENT)), 599) == ErrorReason.TOO_LARGE
    assert decode_image(encoded(Image.fromarray(GRADIENT)), 600).shape == (20, 30, 3)


def test_a_decompression_bomb_is_refused_without_a_warning() -> None:
    def header_of(side: int) -> bytes:
        bomb = bytearray(encoded(Image.new("L", (1, 1))))
        bomb[16:24] = side.to_bytes(4, "big") * 2
        import zlib

        bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
        return bytes(bomb)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert reason_of(header_of(10_000)) == ErrorReason.TOO_LARGE
        assert reason_of(header_of(60_000)) == ErrorReason.TOO_LARGE
    assert not seen
