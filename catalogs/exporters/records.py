"""One labelled image on its way out of the catalog."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import BACKGROUND, IGNORE
from ..rle import decode_mask

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class ExportMask:
    """One mask of an image.

    Args:
        class_id: 0 is background, 65535 is ignore, any other is exported.
        rle: COCO compressed counts.
        box: x, y, width and height in pixels.
        area: pixels.
    """

    label: str
    class_id: int
    score: float
    rle: bytes
    box: tuple[int, int, int, int]
    area: int


@dataclass(frozen=True)
class ExportRecord:
    """One image and its masks, in the order of painting: what comes later lies on top.

    Args:
        image: the image file as it lies in the corpus; None where images are not exported.
        width, height: pixels of the image as displayed.
        split: ``train`` or ``val``.
        corrected: people drew the masks, or found that there is nothing.
    """

    key: str
    image_id: str
    shard_id: str
    width: int
    height: int
    split: str
    image: bytes | None
    captions: tuple[str, ...]
    masks: tuple[ExportMask, ...]
    corrected: bool = False

    @property
    def things(self) -> tuple[ExportMask, ...]:
        """The masks of a class that is neither background nor ignored."""
        return tuple(m for m in self.masks if m.class_id not in (BACKGROUND, IGNORE))

    @property
    def stem(self) -> str:
        """A file name for the key: without dots, at most 100 letters, and different for two keys of a shard.

        A key that is a name of ASCII letters, digits, ``_`` and ``-`` stays; of any other as much as can be
        read stays, and a hash of the key follows after ``~``, which no key that stays holds.
        """
        if _SAFE.fullmatch(self.key):
            return self.key
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:16]
        return f"{_UNSAFE.sub('_', self.key)[-80:].lstrip('-')}~{digest}"

    def labels(self) -> NDArray[np.uint16]:
        """Return the (H, W) class ids; 0 is background, 65535 is ignore.

        Raises:
            CatalogError: a mask is damaged.
        """
        labels = np.full((self.height, self.width), BACKGROUND, np.uint16)
        for mask in self.masks:
            labels[decode_mask(mask.rle, self.height, self.width)] = mask.class_id
        return labels
