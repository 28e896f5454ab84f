from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.exporters.pictures import portable_image
from maskmill.catalogs.exporters.records import ExportRecord
from maskmill.schemas.errors import CatalogError


def _record(data: bytes, width: int = 6, height: int = 4) -> ExportRecord:
    return ExportRecord("k", "id", "00000", width, height, "train", data, (), ())


def _file(mode: str, kind: str, orientation: int = 1, size: tuple[int, int] = (6, 4)) -> bytes:
    packed, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image = Image.new(mode, size, 100 if mode in ("L", "P", "I;16") else "red")
    image.save(packed, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind", "suffix"),
    [("RGB", "JPEG", ".jpg"), ("L", "JPEG", ".jpg"), ("RGB", "PNG", ".png"), ("RGB", "WEBP", ".webp")],
)
def test_plain_upright_files_go_as_they_lie(mode: str, kind: str, suffix: str) -> None:
    data = _file(mode, kind)
    assert portable_image(_record(data), "keep") == (data, suffix)


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (_file("CMYK", "JPEG"), ".jpg"),
        (_file("RGBA", "PNG"), ".png"),
        (_file("P", "GIF"), ".png"),
        (_file("I;16", "PNG"), ".png"),
        (_file("RGB", "TIFF"), ".png"),
        (_file("RGB", "JPEG", 6, (4, 6)), ".jpg"),
    ],
)
def test_others_are_written_as_they_are_seen(data: bytes, suffix: str) -> None:
    written, found = portable_image(_record(data), "keep")
    image = Image.open(io.BytesIO(written))
    assert (found, image.mode, image.size) == (suffix, "RGB", (6, 4))
    assert image.getexif().get(0x0112, 1) == 1


def test_a_format_can_be_asked_for() -> None:
    png = portable_image(_record(_file("RGB", "PNG")), "jpg")
    assert Image.open(io.BytesIO(png[0])).format == "JPEG"
    jpeg, suffix = portable_image(_record(_file("RGB", "JPEG")), "png")
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, suffix) == ("PNG", ".png")
    assert np.abs(np.asarray(image).astype(int) - (254, 0, 0)).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_an_image_of_another_size_than_its_masks_is_refused(kind: str) -> None:
    with pytest.raises(CatalogError, match="'k' is 6 x 4, its masks are 5 x 4"):
        portable_image(_record(_file("RGB", kind), width=5), "keep")


def test_an_image_that_cannot_be_decoded_is_named() -> None:
    with pytest.raises(CatalogError, match="image 'k' cannot be decoded any more"):
        portable_image(_record(b"no image"), "keep")
