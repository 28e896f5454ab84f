"""Images of two runs made ready for the page: both label maps, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import BACKGROUND, IGNORE, LabelMap
from ..overlay import names_in, resized_labels
from .comparison import Comparison, LabelPair
from .found import ComparedImage
from .pictures import Kit, Layer, Row
from .thumbnails import fit, layer_uri, photo_uri

_DIFFERENT = (232, 62, 92, 205)
_ALIKE = (12, 14, 16, 120)


@dataclass(frozen=True)
class ComparedRow:
    """One image; ``differing`` is the share of its pixels that the runs label differently, in [0, 1]."""

    row: Row
    agreement: float
    labels: tuple[LabelPair, ...]
    differing: float


def set_compared(
    images: Sequence[ComparedImage], comparison: Comparison, kit: Kit
) -> tuple[ComparedRow, ...]:
    """Turn images into rows, in their order."""
    titles = (f"First, {comparison.first.kind}", f"Second, {comparison.second.kind}")
    return tuple(_row(image, titles, kit) for image in images)


def difference(first: LabelMap, second: LabelMap) -> NDArray[np.bool_]:
    """Return (H, W) bool: where two maps of one size name different labels; what both leave out is alike.

    Raises:
        ValueError: the maps have different sizes.
    """
    if first.labels.shape != second.labels.shape:
        raise ValueError(f"maps of {first.labels.shape} and {second.labels.shape} cannot be compared")
    ids = {name: i for i, name in enumerate(dict.fromkeys((*names_in(first), *names_in(second))), start=1)}
    return _common(first, ids) != _common(second, ids)


def _common(label_map: LabelMap, ids: dict[str, int]) -> NDArray[np.uint16]:
    table = np.zeros(IGNORE + 1, np.uint16)
    for place, name in enumerate(label_map.names):
        table[place] = BACKGROUND if place == BACKGROUND else ids.get(name, 0)
    return table[label_map.labels]


def _row(image: ComparedImage, titles: tuple[str, str], kit: Kit) -> ComparedRow:
    height, width = image.first.labels.shape
    size = fit(width, height, kit.side)
    names = dict.fromkeys((*names_in(image.first), *names_in(image.second)))
    apart = difference(image.first, image.second)
    row = Row(
        key=image.pair.key,
        photo="" if image.photo is None else photo_uri(image.photo, kit.side, kit.place),
        aspect=f"{size[0]} / {size[1]}",
        captions=(),
        group="",
        layers=(
            kit.layer(image.first, "first", titles[0], None, size),
            kit.layer(image.second, "second", titles[1], None, size),
            _difference_layer(apart, size, kit),
        ),
        classes=tuple(sorted(kit.index[name] for name in names)),
        teacher=None,
        student=None,
    )
    return ComparedRow(row, image.pair.agreement, image.pair.labels, float(apart.mean()))


def _difference_layer(apart: NDArray[np.bool_], size: tuple[int, int], kit: Kit) -> Layer:
    small = resized_labels(apart.astype(np.uint16), *size) > 0
    layer = np.empty((*small.shape, 4), np.uint8)
    layer[:] = _ALIKE
    layer[small] = _DIFFERENT
    return Layer(
        role="apart",
        title="Where they differ",
        uri=layer_uri(layer, kit.place),
        alt=f"Where they differ: {apart.mean():.0%} of the pixels",
        tags=(),
        miou=None,
    )
