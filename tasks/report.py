"""The report stage: a page about one catalog version, with pictures from the corpus where it still lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..catalogs.corpora import open_corpus
from ..catalogs.dataset import corpus_of
from ..catalogs.report import GalleryItem, build_report, gallery_from_catalog
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig
from ..schemas.errors import CorpusError
from .progress import SILENT, Progress


def write_report(
    catalog_uri: str,
    out: Path,
    version: int | None = None,
    pictures: int = 24,
    images: str | None = None,
    progress: Progress = SILENT,
) -> int:
    """Write the report of a catalog version and return that version.

    Args:
        pictures: how many labelled images are shown, a third each of the most certain, the least certain and
            random ones.
        images: image folder of a COCO JSON corpus; default: the one that the label run read.

    Raises:
        CatalogError: no catalog, or no such version.
    """
    catalog = Catalog.open(catalog_uri)
    pinned = catalog.version() if version is None else version
    gallery: Sequence[GalleryItem] = ()
    corpus = _labelled_corpus(catalog, pinned, images)
    if corpus is not None and pictures:
        try:
            gallery = gallery_from_catalog(catalog_uri, pinned, open_corpus(corpus), pictures)
        except CorpusError as err:
            progress.say(f"the report has no pictures: {err}")
    build_report(catalog_uri, out, version=pinned, gallery=gallery)
    return pinned


def _labelled_corpus(catalog: Catalog, version: int, images: str | None) -> CorpusConfig | None:
    """Return the corpus of the newest finished label run that a version shows."""
    runs = [r for r in catalog.runs(version) if r["kind"] == "label" and r["status"] == "finished"]
    if not runs:
        return None
    corpus = corpus_of(runs[-1])
    return corpus if images is None else corpus.model_copy(update={"images": images})
