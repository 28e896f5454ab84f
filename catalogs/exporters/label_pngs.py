"""Label maps as PNG files."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...schemas.errors import ConfigError
from ...schemas.labelmap import IGNORE

PNG_IGNORE = 255
MOST_CLASSES = 254  # 0 is background and 255 is ignore


def refuse_too_many(things: int) -> None:
    """Raise ConfigError where class ids do not fit into 8 bits beside background and ignore."""
    if things > MOST_CLASSES:
        raise ConfigError(
            f"{things} classes do not fit into 8-bit label maps, which hold {MOST_CLASSES}: name fewer with "
            "a vocabulary (classes), or export as hf or webdataset, which write 16 bits then, or as coco"
        )


def palette_png(labels: NDArray[np.uint16]) -> bytes:
    """Return a palette PNG in the colours of PASCAL VOC, 65535 as 255.

    Args:
        labels: (H, W) uint16, ids up to 254 or 65535.
    """
    height, width = labels.shape
    image = Image.frombytes("P", (width, height), _narrow(labels).tobytes())
    image.putpalette(voc_palette())
    return _packed(image)


def gray_png(labels: NDArray[np.uint16], things: int) -> bytes:
    """Return a gray PNG of 8 bits, 65535 as 255, or of 16 bits where ``things`` classes need them."""
    return _packed(Image.fromarray(_narrow(labels) if things <= MOST_CLASSES else labels))


def colour_png(ids: NDArray[np.uint32]) -> bytes:
    """Return ids (H, W) below 2**24 as the RGB PNG of COCO panoptic: red is the lowest byte."""
    bytes_of = ids.astype("<u4")[..., None].view(np.uint8)
    return _packed(Image.fromarray(np.ascontiguousarray(bytes_of[..., :3])))


@cache
def voc_palette() -> tuple[int, ...]:
    """Return 256 RGB colours, flat: the bits of an index, three by three, go to the colours' high bits.

    Source: ``VOClabelcolormap`` of the PASCAL VOC development kit.
    """
    palette = np.zeros((256, 3), np.uint8)
    index = np.arange(256)
    for level in range(8):
        for channel in range(3):
            bit = (index >> (3 * level + channel)) & 1
            palette[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return tuple(palette.ravel().tolist())


def _narrow(labels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return np.where(labels == IGNORE, PNG_IGNORE, labels).astype(np.uint8)


def _packed(image: Image.Image) -> bytes:
    packed = BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()
