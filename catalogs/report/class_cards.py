"""The class gallery made ready for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .class_gallery import KINDS, ClassMask, mask_at
from .pictures import Kit
from .thumbnails import fit, layer_uri, photo_uri

_FILL, _VEIL = 0.28, 0.58
_VEIL_COLOUR = (12, 14, 16)
_SIDE = 0.68  # of the side of other thumbnails


@dataclass(frozen=True)
class Shot:
    """One mask as a thumbnail; ``photo`` is None where the corpus is gone."""

    key: str
    photo: str | None
    layer: str
    alt: str
    score: float
    area: int
    area_fraction: float


@dataclass(frozen=True)
class ClassCard:
    """One class: the index of its swatch, and its masks by kind."""

    name: str
    index: int
    kinds: tuple[tuple[str, tuple[Shot, ...]], ...]


def set_cards(masks: Sequence[ClassMask], kit: Kit) -> tuple[ClassCard, ...]:
    """Turn masks into one card per class, classes in the order in which they come."""
    cards = []
    for name in dict.fromkeys(mask.label for mask in masks):
        own = [mask for mask in masks if mask.label == name]
        kinds = (
            (kind, tuple(_shot(mask, kit) for mask in own if mask.kind == kind)) for kind in KINDS.values()
        )
        cards.append(ClassCard(name, kit.index[name], tuple((kind, shots) for kind, shots in kinds if shots)))
    return tuple(cards)


def _shot(mask: ClassMask, kit: Kit) -> Shot:
    side = max(1, round(kit.side * _SIDE))
    size = fit(mask.mask.shape[1], mask.mask.shape[0], side)
    drawn = _layer(mask_at(mask.mask, *size), kit.colours[mask.label])
    return Shot(
        key=mask.key,
        photo=None if mask.photo is None else photo_uri(mask.photo, side, kit.place),
        layer=layer_uri(drawn, kit.place),
        alt=f"{mask.kind} {mask.label} in {mask.key}: score {mask.score:.2f}, "
        f"{100 * mask.area_fraction:.1f}% of the image",
        score=mask.score,
        area=mask.area,
        area_fraction=mask.area_fraction,
    )


def _layer(mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return (H, W, 4): the mask tinted and outlined, a dark veil over the rest."""
    layer = np.empty((*mask.shape, 4), np.uint8)
    layer[:] = (*_VEIL_COLOUR, round(255 * _VEIL))
    layer[mask] = (*colour, round(255 * _FILL))
    inner = mask & ~_near_outside(mask)
    layer[mask & (~inner | _near_outside(inner))] = (*colour, 255)
    return layer


def _near_outside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels with a neighbour outside the mask; the frame of the picture is no outside."""
    near = np.zeros(mask.shape, np.bool_)
    near[1:] |= ~mask[:-1]
    near[:-1] |= ~mask[1:]
    near[:, 1:] |= ~mask[:, :-1]
    near[:, :-1] |= ~mask[:, 1:]
    return near
