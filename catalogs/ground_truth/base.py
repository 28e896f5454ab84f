"""What ground truth is, and the parts that its readers share."""

from __future__ import annotations

import json
from typing import Protocol

import fsspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...schemas.errors import CorpusError
from ...schemas.labelmap import IGNORE

PNG_IGNORE = 255


class GroundTruth(Protocol):
    """The true class of every pixel; picklable, so that every worker reads its own images."""

    def names(self) -> tuple[str, ...]:
        """Return what the ids stand for; id 0 is the background.

        Raises:
            CorpusError: the ground truth cannot be read.
        """

    def labels(self, key: str) -> NDArray[np.uint16]:
        """Return the (H, W) ids of the image with this key; 65535 is not to be judged.

        Raises:
            CorpusError: there is no ground truth for this image, or it cannot be read.
        """


def index_png(fs: fsspec.AbstractFileSystem, path: str, key: str) -> NDArray[np.integer]:
    """Return the (H, W) indices of a PNG of one channel, gray or by palette, as they are stored.

    Raises:
        CorpusError: it cannot be read, or has colours in place of indices.
    """
    try:
        with fs.open(path, "rb") as file, Image.open(file) as image:
            ids = np.asarray(image)
            mode = image.mode
    except OSError as err:
        raise CorpusError(f"ground truth of image {key!r} cannot be read: {err}") from err
    if ids.ndim != 2 or ids.dtype.kind not in "ui":
        raise CorpusError(f"ground truth of image {key!r} is no index PNG: it has mode {mode}")
    return ids


def with_ignore(ids: NDArray[np.integer]) -> NDArray[np.uint16]:
    """Return 8-bit ids as uint16, their 255 as 65535."""
    labels = ids.astype(np.uint16)
    labels[ids == PNG_IGNORE] = IGNORE
    return labels


def names_of(uri: str) -> tuple[str, ...]:
    """Return the names in a ``classes.json``, a list of ``{"id": 0, "name": "background"}``, by id.

    Raises:
        CorpusError: it cannot be read, or an id is missing.
    """
    try:
        with fsspec.open(uri, "rb") as file:
            classes = sorted(json.load(file), key=lambda c: int(c["id"]))
        ids, names = [c["id"] for c in classes], tuple(str(c["name"]) for c in classes)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CorpusError(f"the classes of the ground truth cannot be read from {uri!r}: {err}") from err
    if not ids or ids != list(range(len(ids))):
        raise CorpusError(f"the class ids in {uri!r} must run from 0 without a gap, got {ids}")
    return names
