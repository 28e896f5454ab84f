"""What people corrected: images they looked at and the regions they drew, whatever program wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CatalogError, CorpusError

BACKGROUND_LABEL = "background"


class ReviewReason(StrEnum):
    """Why an image of a correction file was not taken, stored in ``errors.reason``."""

    UNKNOWN_IMAGE = "unknown_image"  # the catalog has no labelled image of that name
    AMBIGUOUS_IMAGE = "ambiguous_image"  # it has several
    REPEATED_IMAGE = "repeated_image"  # an earlier entry of the file is the same image
    WRONG_SIZE = "wrong_size"  # the image has another size than what was drawn on
    UNKNOWN_LABEL = "unknown_label"  # the file does not say what a class id stands for
    NEW_LABEL = "new_label"  # the catalog has not had this label, and new ones are not allowed
    OVERLAP = "overlap"  # two labels claim a pixel
    UNDECIDED = "undecided"  # pixels that are to be ignored, which the catalog cannot say
    SEVERAL_REVIEWS = "several_reviews"  # people drew different things, and none is marked as the truth
    BAD_REGION = "bad_region"
    BAD_ENTRY = "bad_entry"


@dataclass(frozen=True)
class Fault:
    """Why something cannot be taken: the code, and one line for a person."""

    reason: ReviewReason
    detail: str


@dataclass(frozen=True)
class Region:
    """What a person drew: a label, None for pixels left undecided, and its (H, W) bool mask, not empty."""

    label: str | None
    mask: NDArray[np.bool_]


Draw = Callable[[int, int], Iterable[Region | Fault]]


@dataclass(frozen=True)
class ReviewedImage:
    """One image that a person looked at.

    Args:
        names: what the file calls it (a path, a key), the likeliest first; at least one.
        draw: given the height and width that the catalog has of the image, yields what was drawn on it and
            everything that is wrong with that. Nothing drawn means that there is nothing.
        annotator: who looked at it, None where the file does not say.
    """

    names: tuple[str, ...]
    draw: Draw
    annotator: str | None = None


@dataclass(frozen=True)
class Corrections:
    """The content of a correction file.

    Args:
        sha256: of the file; of a folder, of its files' names and sha256.
        classes: the names that a reviewer could choose from, as far as the file says, without the background.
        faults: of entries that are no images, with what they are called (None where nothing can be said).
        unreviewed: how many images are listed that nobody has looked at yet.
    """

    sha256: str
    images: tuple[ReviewedImage, ...]
    classes: tuple[str, ...]
    faults: tuple[tuple[str | None, Fault], ...] = ()
    unreviewed: int = 0


def drawn(label: str | None, what: str, shape: Callable[[], NDArray[np.bool_]]) -> Region | Fault:
    """Return the region of a shape, or BAD_REGION where it cannot be drawn or covers no pixel.

    Args:
        what: how to name the region to a person.
        shape: raises ValueError or CatalogError where it cannot be drawn.
    """
    try:
        mask = shape()
    except (CatalogError, ValueError) as err:
        return Fault(ReviewReason.BAD_REGION, f"{what}: {err}")
    if not mask.any():
        return Fault(ReviewReason.BAD_REGION, f"{what} covers no pixel")
    return Region(label, mask)


def wrong_size(stated: tuple[object, object], width: int, height: int) -> Fault | None:
    """Return a fault unless the (width, height) that a file states is the image's."""
    if stated == (width, height):
        return None
    return Fault(
        ReviewReason.WRONG_SIZE, f"drawn on {stated[0]} x {stated[1]}, the image is {width} x {height} pixels"
    )


def parsed(uri: str, data: bytes) -> Any:
    """Return the content of a JSON file.

    Raises:
        CorpusError: it is no JSON.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as err:
        raise CorpusError(f"{uri!r} is not JSON: {err}") from err


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether a value is a text that can be stored and read as the name of something."""
    return is_key(value) and bool(value.strip())


def is_key(value: object) -> TypeGuard[str]:
    """Tell whether a value is a text that can be stored as the key of an image, blank or not."""
    return isinstance(value, str) and not any(0xD800 <= ord(letter) < 0xE000 for letter in value)
