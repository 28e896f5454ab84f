"""Corpora in, catalogs out: readers, the store, SQL views, trainer datasets and the report."""

from __future__ import annotations

from .corpora import open_corpus
from .query import connect, query
from .store import Catalog

__all__ = ["Catalog", "connect", "open_corpus", "query"]
