"""The report of a catalog as a page that needs nothing from elsewhere, and the picture for a README."""

from __future__ import annotations

from .build import build_report
from .found import Found, PicturePlan, find_pictures
from .gallery import gallery_from_catalog
from .items import GalleryItem, index_map
from .readme import readme_picture

__all__ = [
    "build_report",
    "find_pictures",
    "Found",
    "PicturePlan",
    "gallery_from_catalog",
    "readme_picture",
    "GalleryItem",
    "index_map",
]
