"""Objectness: which pixels belong to things (FOUND and its training-free form)."""

from __future__ import annotations

from .found import FoundBkg, FoundHead, FoundObjectness, NoObjectness, Objectness, load_head, save_head
from .loading import load_objectness

__all__ = [
    "FoundBkg",
    "FoundHead",
    "FoundObjectness",
    "NoObjectness",
    "Objectness",
    "load_head",
    "load_objectness",
    "save_head",
]
