"""A protocol's way of looking at an image, for segmenters that offer logits: resize, slide, average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol as Interface
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..schemas.labelmap import BACKGROUND, LabelMap
from ..schemas.protocols import Protocol
from ..schemas.vocabulary import Vocabulary
from .segmenters.base import Segmenter
from .segmenters.tiles import interpolation_matrix

_MAP_VALUES = 16_000_000  # float32 values of one dense map (classes x rows x W) held at once
_WINDOWS = 8  # windows per call of the segmenter


class LogitSegmenter(Interface):
    """What a segmenter has besides its call, where it can tell how much each class fits each pixel."""

    def logits(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[Tensor] | list[NDArray[np.float32]]:
        """Return (C, H, W) float32 for each (H, W, 3) image, at its size, classes as in its vocabulary.

        Their softmax over classes is the confidence in each class.
        """


def has_logits(segmenter: object) -> bool:
    """Say whether a segmenter offers logits."""
    return callable(getattr(segmenter, "logits", None))


class Sliding:
    """A segmenter's logits, looked at by a protocol, as a segmenter.

    Args:
        segmenter: with :func:`has_logits`.
    """

    def __init__(self, segmenter: Segmenter, protocol: Protocol) -> None:
        self.id, self.weights = segmenter.id, segmenter.weights
        self._segmenter = cast(LogitSegmenter, segmenter)
        self._protocol = protocol

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images one by one; see :func:`slide`."""
        return [
            slide(self._segmenter, image, vocabulary, self._protocol)
            for image, vocabulary in zip(images, vocabularies, strict=True)
        ]


def working_image(image: NDArray[np.uint8], protocol: Protocol) -> NDArray[np.uint8]:
    """Resize (H, W, 3) RGB as the protocol says, bilinear without antialiasing, rounded to 8 bits."""
    height, width = image.shape[:2]
    size = _size(height, width, protocol)
    if size == (height, width):
        return image
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()[None]
    resized = F.interpolate(pixels, size, mode="bilinear", align_corners=False)[0]
    return resized.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def slide(
    segmenter: LogitSegmenter, image: NDArray[np.uint8], vocabulary: Vocabulary, protocol: Protocol
) -> LabelMap:
    """Segment one image by the protocol.

    Logits of all windows are averaged where they overlap, upsampled bilinearly to the original size, and
    made probabilities by a softmax. Class 0 takes part in it where the protocol has it as a text class and
    the vocabulary has a background; :class:`maskmill.tasks.judging.Judge` applies the threshold.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        Labels at the image's size; scores are the probability of each pixel's label.
    """
    working = working_image(image, protocol)
    averaged = _averaged(segmenter, working, vocabulary, protocol)
    competes = vocabulary.has_background and protocol.background.text_class
    first = BACKGROUND if competes or len(averaged) == 1 else BACKGROUND + 1
    labels, scores = _labelled(averaged[first:], (image.shape[0], image.shape[1]))
    ids = (labels + first).cpu().numpy().astype(np.uint16)
    return LabelMap(ids, scores.cpu().numpy().astype(np.float16), vocabulary.names)


def windows(height: int, width: int, crop: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the windows over an image; along a side below ``crop`` there is one."""
    for top in _starts(height, crop, stride):
        for left in _starts(width, crop, stride):
            yield slice(top, min(top + crop, height)), slice(left, min(left + crop, width))


def _starts(side: int, crop: int, stride: int) -> list[int]:
    count = max(side - crop + stride - 1, 0) // stride + 1
    return [min(i * stride, max(side - crop, 0)) for i in range(count)]


def _size(height: int, width: int, protocol: Protocol) -> tuple[int, int]:
    if protocol.resize == "none" or protocol.size is None:
        return height, width
    if protocol.resize == "square":
        return protocol.size, protocol.size
    scale = protocol.size / min(height, width)
    if protocol.longest is not None:
        scale = min(scale, protocol.longest / max(height, width))
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def _averaged(
    segmenter: LogitSegmenter, image: NDArray[np.uint8], vocabulary: Vocabulary, protocol: Protocol
) -> Tensor:
    """Return the (C, h, w) mean of the logits of all windows."""
    height, width = image.shape[:2]
    if protocol.window is None:
        return torch.as_tensor(segmenter.logits([image], [vocabulary])[0]).float().clone()
    places = list(windows(height, width, protocol.window.crop, protocol.window.stride))
    total, seen = torch.zeros(len(vocabulary.classes), height, width), torch.zeros(height, width)
    for first in range(0, len(places), _WINDOWS):
        part = places[first : first + _WINDOWS]
        crops = [np.ascontiguousarray(image[rows, columns]) for rows, columns in part]
        for (rows, columns), found in zip(
            part, segmenter.logits(crops, [vocabulary] * len(part)), strict=True
        ):
            logits = torch.as_tensor(found).float()
            total, seen = total.to(logits), seen.to(logits)
            total[:, rows, columns] += logits
            seen[rows, columns] += 1
    return total.div_(seen)


def _labelled(logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return labels and their probabilities (H, W) of (C, h, w) logits, upsampled in bands of rows."""
    height, width = size
    across = logits if logits.shape[2] == width else _along_width(logits, width)
    down = interpolation_matrix(height, logits.shape[1]).to(logits)
    step = max(1, _MAP_VALUES // (len(logits) * width))
    labels, scores = [], []
    for top in range(0, height, step):
        band = torch.einsum("rh,chw->crw", down[top : top + step], across)
        best, index = band.softmax(0).max(0)
        labels.append(index)
        scores.append(best)
    return torch.cat(labels), torch.cat(scores)


def _along_width(logits: Tensor, width: int) -> Tensor:
    matrix = interpolation_matrix(width, logits.shape[2]).to(logits)
    return torch.einsum("wx,chx->chw", matrix, logits)
