from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.report.thumbnails import fit, layer_uri, photo_uri


def opened(uri: str) -> Image.Image:
    head, body = uri.split(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


@pytest.mark.parametrize(
    ("size", "small"), [((640, 480), (320, 240)), ((100, 50), (100, 50)), ((4000, 1), (320, 1))]
)
def test_longer_side_is_limited_and_nothing_is_enlarged(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    assert fit(*size, 320) == small


def test_photo_becomes_a_small_webp() -> None:
    assert opened(photo_uri(np.zeros((480, 640, 3), np.uint8), 320)).size == (320, 240)


def test_layer_keeps_every_pixel() -> None:
    layer = np.zeros((20, 30, 4), np.uint8)
    layer[5:9, 5:9] = (230, 85, 60, 133)
    back = np.asarray(opened(layer_uri(layer)).convert("RGBA"))
    np.testing.assert_array_equal(back[..., 3], layer[..., 3])
    np.testing.assert_array_equal(back[6, 6], layer[6, 6])
