from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.exporters.label_pngs import (
    colour_png,
    gray_png,
    palette_png,
    refuse_too_many,
    voc_palette,
)
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.labelmap import IGNORE

LABELS = np.array([[0, 1, 2], [254, 15, IGNORE]], np.uint16)


def test_a_palette_png_holds_ids_and_shows_the_colours_of_voc() -> None:
    image = Image.open(io.BytesIO(palette_png(LABELS)))
    assert image.mode == "P"
    assert np.asarray(image).tolist() == [[0, 1, 2], [254, 15, 255]]
    shown = np.asarray(image.convert("RGB"))
    assert shown[0].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert shown[1, 1:].tolist() == [[192, 128, 128], [224, 224, 192]]  # person, and the border of VOC


def test_the_palette_has_256_different_colours() -> None:
    assert len({tuple(colour) for colour in np.reshape(voc_palette(), (256, 3)).tolist()}) == 256


def test_a_gray_png_has_16_bits_only_where_classes_need_them() -> None:
    narrow = np.asarray(Image.open(io.BytesIO(gray_png(LABELS, 254))))
    wide = np.asarray(Image.open(io.BytesIO(gray_png(LABELS, 255))))
    assert (narrow.dtype, narrow[1].tolist()) == (np.dtype(np.uint8), [254, 15, 255])
    assert wide[1].tolist() == [254, 15, IGNORE]


def test_a_colour_png_keeps_ids_beyond_one_byte() -> None:
    ids = np.array([[0, 255, 256], [70000, 1, 2**24 - 1]], np.uint32)
    rgb = np.asarray(Image.open(io.BytesIO(colour_png(ids)))).astype(np.uint32)
    assert (rgb[..., 0] + 256 * rgb[..., 1] + 256**2 * rgb[..., 2] == ids).all()


def test_more_classes_than_ids_are_refused_with_advice() -> None:
    refuse_too_many(254)
    with pytest.raises(ConfigError, match=r"255 classes .* name fewer with a vocabulary .* or export as hf"):
        refuse_too_many(255)
