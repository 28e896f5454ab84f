"""Readers of what people corrected in other programs."""

from __future__ import annotations

from typing import Literal

from ...schemas.errors import CorpusError
from ..storage import full_uri, locate, reported_as
from .base import Corrections, Fault, Region, ReviewedImage, ReviewReason
from .coco import read_coco
from .index_pngs import read_index_pngs
from .labelstudio import read_labelstudio

__all__ = ["open_corrections", "Corrections", "Fault", "Region", "ReviewedImage", "ReviewReason"]

Format = Literal["coco", "index-png", "labelstudio"]


def open_corrections(source: str, kind: Format, classes: str | None = None) -> Corrections:
    """Read a correction file, or a folder of index PNGs.

    Args:
        source: any URI that fsspec serves.
        classes: the list of classes of index PNGs (:func:`.index_pngs.read_index_pngs`).

    Raises:
        CorpusError: it is not there, or as a whole no such file.
    """
    with reported_as(CorpusError, f"corrections {source!r} cannot be read"):
        uri = full_uri(*locate(source))
        if kind == "index-png":
            return read_index_pngs(uri, classes)
        return read_coco(uri) if kind == "coco" else read_labelstudio(uri)
