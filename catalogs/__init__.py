"""Corpora in, catalogs out: readers, the store, SQL views, trainer datasets and the report."""

from __future__ import annotations

from .corpora import open_corpus
from .datasets import MaskDataset, MaskSample, MaskSampler, MaskStream, WebMasks
from .partners import PartnerIndex
from .query import connect, query
from .store import Catalog
from .triplets import Mention, Triplet, TripletStream, masked

__all__ = [
    "Catalog",
    "MaskDataset",
    "MaskSample",
    "MaskSampler",
    "MaskStream",
    "Mention",
    "PartnerIndex",
    "Triplet",
    "TripletStream",
    "WebMasks",
    "connect",
    "masked",
    "open_corpus",
    "query",
]
