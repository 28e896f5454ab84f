"""Stored ground truth to ids of the dataset's vocabulary: 0 background, 65535 not judged."""

from __future__ import annotations

from io import BytesIO
from types import MappingProxyType

import fsspec
import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CorpusError
from ...schemas.labelmap import BACKGROUND, IGNORE
from .base import PNG_IGNORE, index_png, with_ignore

# COCO has no category of these ids; pixels of its stuff-and-thing maps hold an id less one.
_NO_CATEGORY = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
_STUFF_FROM, _STUFF_TO = 92, 182

# Cityscapes: labelIds of the 19 classes of the benchmark, in the order of their training ids.
_CITYSCAPES = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def _table(ids: dict[int, int], other: int = IGNORE) -> NDArray[np.uint16]:
    table = np.full(256, other, np.uint16)
    table[list(ids)] = list(ids.values())
    return table


def _coco_ids() -> dict[int, int]:
    """Return pixel value -> id from 1, things first: 80 things, 91 kinds of stuff."""
    categories = [c for c in range(1, _STUFF_TO + 1) if c not in _NO_CATEGORY]
    return {category - 1: i for i, category in enumerate(categories, 1)}


_STUFF_TABLE = _table(_coco_ids())
_OBJECT_TABLE = _table({v: i for v, i in _coco_ids().items() if v + 1 < _STUFF_FROM}, BACKGROUND)
_CITY_TABLE = _table({label: i for i, label in enumerate(_CITYSCAPES, 1)})

TABLES = MappingProxyType({"stuff": _STUFF_TABLE, "object": _OBJECT_TABLE, "cityscapes": _CITY_TABLE})


def as_stored(fs: fsspec.AbstractFileSystem, path: str, key: str) -> NDArray[np.uint16]:
    """Read an index PNG whose values are the ids, 255 not being judged."""
    return with_ignore(index_png(fs, path, key))


def coco_stuff(fs: fsspec.AbstractFileSystem, path: str, key: str) -> NDArray[np.uint16]:
    """Read a map of stuff and things as COCO-Stuff's 171 classes; what is unlabelled is not judged."""
    return _looked_up("stuff", index_png(fs, path, key))


def coco_object(fs: fsspec.AbstractFileSystem, path: str, key: str) -> NDArray[np.uint16]:
    """Read a map of stuff and things as GroupViT does: 80 things, all else, unlabelled too, background."""
    return _looked_up("object", index_png(fs, path, key))


def cityscapes(fs: fsspec.AbstractFileSystem, path: str, key: str) -> NDArray[np.uint16]:
    """Read ``labelIds`` as the 19 training ids plus one; all other labels are not judged."""
    return _looked_up("cityscapes", index_png(fs, path, key))


def context_mat(fs: fsspec.AbstractFileSystem, path: str, key: str) -> NDArray[np.uint16]:
    """Read the ``LabelMap`` of a .mat file of PASCAL Context: ids from 1, 0 is unlabelled."""
    import scipy.io  # only this layout needs it

    try:
        body = scipy.io.loadmat(BytesIO(fs.cat_file(path)))
        labels = np.asarray(body["LabelMap"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CorpusError(
            f"ground truth of image {key!r} cannot be read: {type(err).__name__} {err}"
        ) from err
    if labels.ndim != 2:
        raise CorpusError(f"ground truth of image {key!r} is no label map: its shape is {labels.shape}")
    return labels.astype(np.uint16)


def _looked_up(name: str, ids: NDArray[np.integer]) -> NDArray[np.uint16]:
    return TABLES[name][np.where((ids < 0) | (ids > PNG_IGNORE), PNG_IGNORE, ids)]
