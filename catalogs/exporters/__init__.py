"""Exports of a catalog's masks in the formats of other tools."""

from __future__ import annotations

from .config import ExportConfig
from .job import ExportProgress, ExportSummary, export

__all__ = ["ExportConfig", "ExportProgress", "ExportSummary", "export"]
