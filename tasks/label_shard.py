"""Label one shard: read, decode, segment, write its rows. Runs inside a worker and knows nothing of the pool."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalogs.corpora import CorpusReader
from ..catalogs.files import FileAdd, write_rows
from ..catalogs.rle import mask_rows
from ..models.segmenters import Segmenter
from ..schemas.config import LabelConfig, SegmenterConfig
from ..schemas.errors import SampleError
from ..schemas.labelmap import LabelMap
from ..schemas.samples import BadSample, Sample, Shard, image_id
from ..schemas.vocabulary import Vocabulary
from .images import decode_image
from .prefetch import map_ahead
from .segmenting import segment

SegmenterFactory = Callable[[SegmenterConfig], Segmenter]


@dataclass(frozen=True)
class LabelItem:
    """One shard, and the file of its caption rows where captions are the vocabulary."""

    shard: Shard
    captions: str | None = None


@dataclass(frozen=True)
class LabelResult:
    """What a worker reports of a shard; ``seconds`` are of decoding (summed over threads), waiting for decoded
    images, the forward pass and writing.
    """

    adds: tuple[FileAdd, ...]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    segmenter: str
    weights: Mapping[str, str]


@dataclass(frozen=True)
class Decoded:
    """An image ready for the segmenter: (H, W, 3) uint8 RGB and the sha256 of its file."""

    key: str
    pixels: NDArray[np.uint8]
    sha256: str
    seconds: float


@dataclass(frozen=True)
class LabelJob:
    """All that a worker needs; calling it loads the segmenter."""

    reader: CorpusReader
    catalog_uri: str
    run_id: str
    config: LabelConfig
    vocabulary: Vocabulary | None
    segmenter_factory: SegmenterFactory

    def __call__(self) -> Callable[[LabelItem], LabelResult]:
        segmenter = self.segmenter_factory(self.config.segmenter)
        return lambda item: _ShardLabeller(self, segmenter, item).run()


@dataclass
class _Rows:
    images: list[dict[str, Any]] = field(default_factory=list)
    masks: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

