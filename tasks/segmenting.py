"""Call a segmenter so that one bad image costs one image and not its batch, its shard or its worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..schemas.config import SegmenterConfig
from ..schemas.errors import ErrorReason, MaskmillError, SampleError
from ..schemas.labelmap import LabelMap
from ..schemas.vocabulary import Vocabulary
from .pool import WorkerFault, one_line

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter


def default_segmenter(config: SegmenterConfig) -> Segmenter:
    """Build the segmenter that a configuration names."""
    from ..models.segmenters import create_segmenter

    return create_segmenter(config)


def prepare_segmenter(config: SegmenterConfig) -> tuple[SegmenterConfig, dict[str, str]]:
    """Return a checked configuration and its weight files, see `complete_segmenter` and `weight_files`.

    Raises:
        ConfigError, WeightsError.
    """
    return complete_segmenter(config), weight_files(config)


def complete_segmenter(config: SegmenterConfig) -> SegmenterConfig:
    """Check a configuration and write out every option of its segmenter; no file is looked at.

    Raises:
        ConfigError: no such segmenter, or an option does not fit.
    """
    from ..models.segmenters import complete

    return complete(config)


def weight_files(config: SegmenterConfig) -> dict[str, str]:
    """Return what -> sha256 of the weight files that a configuration names, without loading a model.

    Weights that only a library knows how to find, and those of segmenters without a card, are left out; the
    segmenter reports them once it is loaded.

    Raises:
        ConfigError: no such segmenter.
        WeightsError: a file is missing, damaged or cannot be fetched.
    """
    from ..models.segmenters import segmenter_card

    return dict(segmenter_card(config.id).files(config))


def segment(
    segmenter: Callable[[Sequence[NDArray[np.uint8]], Sequence[Vocabulary]], list[LabelMap]],
    images: Sequence[NDArray[np.uint8]],
    vocabularies: Sequence[Vocabulary],
    sized: bool = True,
) -> list[LabelMap | SampleError]:
    """Segment a batch; an image that the segmenter fails on alone becomes a ``SampleError``.

    A batch that does not fit the GPU's memory is halved until it does; one that fails otherwise is tried
    image by image. ``sized`` says that maps must have the sizes of their images.

    Raises:
        WorkerFault: the GPU is lost to this process.
        MaskmillError: the segmenter says that its configuration, weights or vocabulary are wrong.
    """
    outcome = _try(segmenter, images, vocabularies, sized)
    if not isinstance(outcome, Exception):
        return list(outcome)
    if len(images) == 1:
        return [_sample_error(outcome)]
    step = len(images) // 2 if _out_of_memory(outcome) else 1
    results: list[LabelMap | SampleError] = []
    for first in range(0, len(images), step):
        part = slice(first, first + step)
        results += segment(segmenter, images[part], vocabularies[part], sized)
    return results


def _try(
    segmenter: Callable[[Sequence[NDArray[np.uint8]], Sequence[Vocabulary]], list[LabelMap]],
    images: Sequence[NDArray[np.uint8]],
    vocabularies: Sequence[Vocabulary],
    sized: bool,
) -> list[LabelMap] | Exception:
    try:
        maps = segmenter(images, vocabularies)
        if sized:
            _check(maps, images)
        return maps
    except SampleError as err:
        return err
    except (MaskmillError, WorkerFault):
        raise
    except Exception as err:  # a segmenter may raise anything over an odd image
        if type(err).__name__ == "AcceleratorError":
            raise WorkerFault(f"the GPU failed: {one_line(err)}") from err
        return err.with_traceback(None) if _out_of_memory(err) else err


def _check(maps: Sequence[LabelMap], images: Sequence[NDArray[np.uint8]]) -> None:
    expected = [image.shape[:2] for image in images]
    found = [label_map.labels.shape for label_map in maps]
    if found != expected:
        raise ValueError(f"the segmenter returned label maps of {found} for images of {expected}")


def _sample_error(error: Exception) -> SampleError:
    if isinstance(error, SampleError):
        return error
    return SampleError(ErrorReason.SEGMENTER_FAILED, one_line(error))


def _out_of_memory(error: Exception) -> bool:
    """torch.OutOfMemoryError by name: this module does not import torch."""
    return type(error).__name__ == "OutOfMemoryError"
