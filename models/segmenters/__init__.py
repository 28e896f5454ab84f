"""Segmenters: images and vocabularies in, label maps out."""

from __future__ import annotations

from . import clip_diy, clippy, maskclip, zero_guidance  # noqa: F401  (importing registers them)
from .base import Segmenter
from .registry import (
    SegmenterCard,
    complete,
    create_segmenter,
    options_of,
    register,
    registered,
    segmenter_card,
    segmenter_factory,
)

__all__ = [
    "Segmenter",
    "SegmenterCard",
    "complete",
    "create_segmenter",
    "options_of",
    "register",
    "registered",
    "segmenter_card",
    "segmenter_factory",
]
