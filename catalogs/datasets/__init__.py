"""Datasets for trainers: the masks of a pinned version by position, as a stream, and for other loaders."""

from __future__ import annotations

from .dataset import MaskDataset
from .sample import MaskRecord, MaskSample
from .sampler import MaskSampler
from .selection import Reading, Selection
from .stream import MaskStream
from .web import WebMasks

__all__ = [
    "MaskDataset",
    "MaskStream",
    "MaskSampler",
    "MaskSample",
    "MaskRecord",
    "Selection",
    "Reading",
    "WebMasks",
]
