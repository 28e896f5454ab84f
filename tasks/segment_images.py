"""Segment a few images by hand: overlays and heat maps as files, no catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..catalogs.heat_sheet import draw_heat_sheet
from ..catalogs.images import decode_image
from ..catalogs.overlay import draw_overlay, names_in
from ..catalogs.palette import colours_of
from ..schemas.config import SegmenterConfig
from ..schemas.errors import ConfigError, CorpusError, SampleError
from ..schemas.labelmap import BACKGROUND, LabelMap
from ..schemas.vocabulary import Vocabulary
from .progress import SILENT, Progress
from .segmenting import default_segmenter, prepare_segmenter, segment

if TYPE_CHECKING:  # at run time it would import torch before anything has been checked
    from ..models.segmenters import Segmenter

_HEAT_ROWS = 12
_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"))


@dataclass(frozen=True)
class Segmented:
    """One image that was segmented.

    Args:
        image: its file.
        overlay: the picture with its labels.
        heat: the sheet of heat maps; None where none was asked for.
        found: (name, share of the picture, mean score), largest first, without the background.
    """

    image: Path
    overlay: Path
    heat: Path | None
    found: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Refused:
    """One image that could not be segmented, and why."""

    image: Path
    reason: str


@dataclass(frozen=True)
class SegmentRequest:
    """What to segment, into what.

    Args:
        source: an image file, or a folder of them.
        out: the overlay's file; of a folder, and wherever it has no suffix, a folder.
        vocabulary: what to look for; class 0 is the background.
        heat_maps: also write ``NAME.heat.png`` beside each overlay: the background and the twelve classes
            that come out strongest.
    """

    source: Path
    out: Path
    vocabulary: Vocabulary
    heat_maps: bool = False


def segment_images(
    request: SegmentRequest,
    config: SegmenterConfig,
    progress: Progress = SILENT,
    make: Callable[[SegmenterConfig], Segmenter] | None = None,
) -> list[Segmented | Refused]:
    """Segment one image or all of a folder and draw what was found.

    Args:
        make: builds the segmenter; default: the one that the configuration names.

    Returns:
        One entry for each image, in the order of their names.

    Raises:
        CorpusError: there is no image.
        ConfigError, WeightsError: before any image is read; or the segmenter has no heat maps to show.
    """
    images = _images(request.source)
    targets = _targets(request, images)
    if make is None:
        config, _ = prepare_segmenter(config)
    segmenter = (make or default_segmenter)(config)
    if request.heat_maps and not hasattr(segmenter, "heat_maps"):
        raise ConfigError(f"segmenter {config.id!r} has no heat maps; leave --heat-maps out")
    results: list[Segmented | Refused] = []
    progress.start("segment", len(images), "images")
    try:
        for image, target in zip(images, targets, strict=True):
            results.append(_one(segmenter, request, image, target))
            progress.advance(1)
    finally:
        progress.finish()
    return results


def _one(segmenter: Segmenter, request: SegmentRequest, image: Path, target: Path) -> Segmented | Refused:
    try:
        pixels = decode_image(image.read_bytes())
    except (SampleError, OSError) as err:
        return Refused(image, str(err))
    (answer,) = segment(segmenter, [pixels], [request.vocabulary])
    if isinstance(answer, SampleError):
        return Refused(image, str(answer))
    _save(Image.fromarray(draw_overlay(pixels, answer, colours_of(names_in(answer)))), target)
    heat = target.with_name(f"{target.stem}.heat.png") if request.heat_maps else None
    if heat is not None:
        _save(_sheet(segmenter, pixels, request.vocabulary), heat)
    return Segmented(image, target, heat, _found(answer))


def _sheet(segmenter: Segmenter, pixels: NDArray[np.uint8], vocabulary: Vocabulary) -> Image.Image:
    maps = segmenter.heat_maps(pixels, vocabulary)  # type: ignore[attr-defined]  # checked before any image
    rows = _strongest(maps)
    chosen = {title: values[rows] if len(values) > 1 else values for title, values in maps.items()}
    return draw_heat_sheet(pixels, chosen, [vocabulary.names[row] for row in rows])


def _strongest(maps: Mapping[str, NDArray[np.float32]]) -> list[int]:
    """Return the background and the classes that come out strongest somewhere, in the vocabulary's order."""
    peaks = list(maps.values())[-1].max(axis=(1, 2))
    ranked = sorted(range(1, len(peaks)), key=lambda row: -peaks[row])
    return [BACKGROUND, *sorted(ranked[:_HEAT_ROWS])]


def _found(answer: LabelMap) -> tuple[tuple[str, float, float], ...]:
    rows = []
    for name in names_in(answer):
        ids = [i for i, other in enumerate(answer.names) if other == name and i != BACKGROUND]
        area = np.isin(answer.labels, ids)
        rows.append((name, float(area.mean()), float(answer.scores[area].mean(dtype=np.float32))))
    return tuple(rows)


def _images(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted(f for f in source.iterdir() if f.suffix.lower() in _SUFFIXES and f.is_file())
        if not found:
            raise CorpusError(f"folder {str(source)!r} holds no image ({', '.join(sorted(_SUFFIXES))})")
        return found
    if not source.is_file():
        raise CorpusError(f"no image {str(source)!r}: give a file or a folder of images")
    return [source]


def _targets(request: SegmentRequest, images: Sequence[Path]) -> list[Path]:
    """Where each overlay goes; files of one name and several suffixes keep apart.

    Raises:
        ConfigError: the suffix is none of a picture.
    """
    if request.source.is_file() and request.out.suffix:
        if Image.registered_extensions().get(request.out.suffix.lower()) not in Image.SAVE:
            raise ConfigError(f"picture {str(request.out)!r} cannot be written: give a .png or .jpg")
        return [request.out]
    stems = [image.stem for image in images]
    return [
        request.out / f"{image.stem if stems.count(image.stem) == 1 else image.name}.png" for image in images
    ]


def _save(picture: Image.Image, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target)
    except (OSError, ValueError) as err:
        raise ConfigError(f"picture {str(target)!r} cannot be written: {err}") from err
