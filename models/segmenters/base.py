"""What a segmenter is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.labelmap import LabelMap
from ...schemas.vocabulary import Vocabulary

T = TypeVar("T")


class Segmenter(Protocol):
    """Images and vocabularies in, label maps out.

    Attributes:
        id: method and weights, the weights by their sha256; stored with every mask.
        weights: what -> sha256 or id, stored with the run.
    """

    id: str
    weights: Mapping[str, str]

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment (H, W, 3) RGB images, sizes may differ, each with its own vocabulary; one map per image.

        A batch of one gives what a batch of many gives.
        """


@runtime_checkable
class HeatMapped(Protocol):
    """A segmenter that also shows what its answer is made of."""

    def heat_maps(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
        """Return what -> (C, h, w) similarities of the classes on a grid of any size, such as a scale of
        patches; also ``objectness`` (1, h, w) where there is one. Labels are the argmax of the last.
        """


def check_batch(images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]) -> None:
    """Hold a segmenter's arguments against its contract.

    Raises:
        ValueError: there is not one vocabulary for each image, or an image is not (H, W, 3) uint8.
    """
    if len(images) != len(vocabularies):
        raise ValueError(f"{len(images)} images but {len(vocabularies)} vocabularies")
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 image, got {image.shape} {image.dtype}")


def in_order(answers: Iterable[tuple[int, T]]) -> list[T]:
    """Return answers by their image's place: images of one size go through an encoder together."""
    by_place = dict(answers)
    return [by_place[place] for place in range(len(by_place))]


def to_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return an (H, W, 3) uint8 image as (3, H, W) float32 RGB in [0, 1]."""
    pixels = torch.from_numpy(np.array(image)).to(device)
    return pixels.permute(2, 0, 1).float().div_(255)
