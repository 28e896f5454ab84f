"""Corpora in, catalogs out: readers, the store, SQL views, trainer datasets and the report."""

from __future__ import annotations

from .corpora import open_corpus
from .dataset import MaskDataset, MaskStream
from .query import connect, query
from .store import Catalog

__all__ = ["Catalog", "MaskDataset", "MaskStream", "connect", "open_corpus", "query"]
