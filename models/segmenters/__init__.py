"""Segmenters: images and vocabularies in, label maps out."""

from __future__ import annotations

from . import clip_diy  # noqa: F401  (importing registers it)
from .base import Segmenter, create_segmenter, register, registered, segmenter_factory

__all__ = ["Segmenter", "create_segmenter", "register", "registered", "segmenter_factory"]
