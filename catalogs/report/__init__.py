"""The self-contained HTML report of a catalog, and the picture for a README."""

from __future__ import annotations

from .build import build_report
from .gallery import gallery_from_catalog
from .items import GalleryItem, index_map
from .readme import readme_picture

__all__ = ["build_report", "gallery_from_catalog", "readme_picture", "GalleryItem", "index_map"]
