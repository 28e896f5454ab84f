"""The report stage: a page about one catalog version, with pictures from the corpus where it still lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..catalogs.corpora import CorpusReader, open_corpus
from ..catalogs.report import GalleryItem, PicturePlan, build_report, find_pictures
from ..catalogs.run_corpus import corpus_of
from ..catalogs.store import Catalog
from ..schemas.errors import CorpusError
from .progress import SILENT, Progress


@dataclass(frozen=True)
class ReportPlan:
    """What a report shows.

    Args:
        version: catalog version or tag; default: the newest.
        shown: how many pictures of what, and which runs are compared.
        images: image folder of a COCO JSON corpus; default: the one that the label run read.
        gallery: pictures shown in place of those that the catalog would choose.
        title: default: the name of the catalog.
    """

    version: int | str | None = None
    shown: PicturePlan = field(default_factory=PicturePlan)
    images: str | None = None
    gallery: Sequence[GalleryItem] = ()
    title: str | None = None


@dataclass(frozen=True)
class ReportSummary:
    """The catalog version that a page is about, and the HTML file."""

    version: int
    page: Path


def write_report(
    catalog_uri: str, out: Path, plan: ReportPlan = ReportPlan(), progress: Progress = SILENT
) -> ReportSummary:
    """Write the report of a catalog version.

    Args:
        out: an HTML file, or a folder that gets ``index.html`` with the thumbnails beside it; see
            `build_report`.

    Raises:
        CatalogError: no catalog, no such version, or no such runs to compare.
        ConfigError: `out` cannot be written.
    """
    catalog = Catalog.open(catalog_uri)
    pinned = catalog.resolve(plan.version)
    corpus = _labelled_corpus(catalog, pinned, plan.images, progress)
    found = find_pictures(catalog_uri, pinned, corpus, plan.shown, progress.say)
    page = build_report(catalog_uri, out, version=pinned, gallery=plan.gallery, found=found, title=plan.title)
    return ReportSummary(pinned, page)


def _labelled_corpus(
    catalog: Catalog, version: int, images: str | None, progress: Progress
) -> CorpusReader | None:
    """Return the corpus of the newest finished label run that a version shows, if it is still there."""
    runs = [r for r in catalog.runs(version) if r["kind"] == "label" and r["status"] == "finished"]
    if not runs:
        return None
    corpus = corpus_of(runs[-1])
    try:
        return open_corpus(corpus if images is None else corpus.model_copy(update={"images": images}))
    except CorpusError as err:
        progress.say(f"the report has no photographs: {err}")
        return None
