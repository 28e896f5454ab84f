"""A catalog over time: what it holds, how versions differ, whether it is whole, its files kept in order."""

from __future__ import annotations

from .compaction import Compaction, compact
from .contents import CatalogInfo, info
from .difference import Difference, diff
from .findings import Finding, Verification
from .tagging import Tagging, tag, tags, untag
from .vacuuming import Vacuuming, vacuum
from .verification import verify
from .versions import VersionEntry, history

__all__ = [
    "CatalogInfo",
    "Compaction",
    "Difference",
    "Finding",
    "Tagging",
    "Vacuuming",
    "Verification",
    "VersionEntry",
    "compact",
    "diff",
    "history",
    "info",
    "tag",
    "tags",
    "untag",
    "vacuum",
    "verify",
]
