"""The rows that a reviewed image leaves in ``images``, ``masks`` and ``errors``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..catalogs.corpora.batches import storable_text
from ..catalogs.corrections import Fault, Region, ReviewReason
from ..catalogs.rle import decode_mask, encode_mask, mask_rows
from ..schemas.labelmap import BACKGROUND, IGNORE, LabelMap
from .review_match import KnownImage

STAGE = "review"
REVIEWED = "reviewed"
HUMAN = "human"
_IDENTITY = ("image_id", "corpus", "key", "shard_id")
_LONGEST = 500


@dataclass(frozen=True)
class ReviewRules:
    """What is taken as drawn.

    Args:
        labels: the only labels that masks may have; None allows any.
        overlap: ``smaller`` lets the smaller of two regions lie on top, ``refuse`` takes no such image.
        undecided: what to make of pixels that are to be ignored.
    """

    labels: Set[str] | None
    overlap: Literal["refuse", "smaller"]
    undecided: Literal["refuse", "background"]


@dataclass(frozen=True)
class _Layer:
    label: str
    area: int
    rle: bytes


def review_masks(
    image: KnownImage, regions: Iterable[Region | Fault], rules: ReviewRules
) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Return the ``masks`` rows of an image, and everything that speaks against taking it.

    An image is taken as a whole or not at all, since what is missing would count as background: one of the
    two is empty. Regions with one label are one mask. Score is 1 and entropy null.
    """
    layers: list[_Layer] = []
    faults: list[Fault] = []
    for region in regions:
        fault = region if isinstance(region, Fault) else _objection(region, rules)
        if fault:
            faults.append(fault)
        elif isinstance(region, Region) and region.label is not None:
            layers.append(_Layer(region.label, int(region.mask.sum()), encode_mask(region.mask)))
    if faults:
        return [], faults
    painted = _painted(layers, image.row["height"], image.row["width"], rules)
    if isinstance(painted, Fault):
        return [], [painted]
    rows = mask_rows(painted, min_area=1)
    hidden = {layer.label for layer in layers} - {row["label"] for row in rows}
    if hidden:
        return [], [Fault(ReviewReason.OVERLAP, f"smaller regions cover all of {min(hidden)!r}")]
    origin = {name: image.row[name] for name in _IDENTITY} | {"label_kind": "vocabulary", "segmenter": HUMAN}
    return [origin | row | {"entropy": None} for row in rows], []


def image_row(image: KnownImage, offered: Sequence[str], masks: int, annotator: str | None) -> dict[str, Any]:
    """Return the ``images`` row of an image that was taken; ``offered`` are the names to choose from."""
    outcome = {"status": REVIEWED, "vocabulary": list(offered), "masks": masks, "annotator": annotator}
    return image.row | outcome


def fault_row(corpus: str, name: str | None, image: KnownImage | None, fault: Fault) -> dict[str, Any]:
    """Return an ``errors`` row; ``name`` is what the file calls an image that the catalog does not know."""
    return {
        "stage": STAGE,
        "corpus": corpus,
        "shard_id": image.row["shard_id"] if image else STAGE,
        "key": image.key if image else name and storable_text(name),
        "image_id": image.row["image_id"] if image else None,
        "reason": str(fault.reason),
        "detail": storable_text(fault.detail)[:_LONGEST],
    }


def _objection(region: Region, rules: ReviewRules) -> Fault | None:
    pixels = int(region.mask.sum())
    if region.label is None and rules.undecided == "refuse":
        detail = f"{pixels} pixels are undecided, which masks cannot say; decide, or let them be background"
        return Fault(ReviewReason.UNDECIDED, detail)
    if region.label is not None and rules.labels is not None and region.label not in rules.labels:
        detail = f"no mask or vocabulary of the corpus has the label {region.label!r}; allow new labels"
        return Fault(ReviewReason.NEW_LABEL, detail)
    return None


def _painted(layers: Sequence[_Layer], height: int, width: int, rules: ReviewRules) -> LabelMap | Fault:
    """Paint the larger regions first; equal ones by label, so that the order in the file does not matter."""
    names = ("background", *sorted({layer.label for layer in layers}))
    if len(names) > IGNORE:
        return Fault(ReviewReason.BAD_REGION, f"{len(names)} labels in one image; {IGNORE - 1} are possible")
    labels: NDArray[np.uint16] = np.full((height, width), BACKGROUND, np.uint16)
    for layer in sorted(layers, key=lambda layer: (-layer.area, layer.label, layer.rle)):
        mask, number = decode_mask(layer.rle, height, width), names.index(layer.label)
        below = np.setdiff1d(labels[mask], (BACKGROUND, number))
        if len(below) and rules.overlap == "refuse":
            shared = int(np.isin(labels[mask], below).sum())
            others = f"{layer.label!r} and {names[below[0]]!r}"
            detail = f"{others} share {shared} pixels; decide, or let the smaller region win"
            return Fault(ReviewReason.OVERLAP, detail)
        labels[mask] = number
    return LabelMap(labels, np.ones(labels.shape, np.float16), names)
