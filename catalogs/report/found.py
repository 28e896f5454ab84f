"""All that the page shows in pictures of a catalog version, chosen and read in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CatalogError, ConfigError, CorpusError, SampleError
from ...schemas.labelmap import LabelMap
from ..corpora import CorpusReader
from ..query import connect
from .class_gallery import ClassMask, MaskPick, class_masks, pick_masks
from .comparison import Comparison, ImagePair, chosen_pair, compare_runs, likely_pairs
from .gallery import Pick, gallery_items, pick_gallery
from .items import GalleryItem
from .label_maps import label_maps
from .photos import Photos, Wanted, read_photos
from .runs import all_runs, counted_label_runs
from .sample import NO_SHARDS, ShardSample, sample_shards


@dataclass(frozen=True)
class PicturePlan:
    """How much is shown.

    Args:
        pictures: labelled images; 0 for none.
        classes: labels of the class gallery, with up to eight masks each; 0 for none.
        compared: images on which two runs are shown side by side; 0 for none.
        compare: ids of two label or review runs; default: the newest two of one corpus, if there are two.

    Raises:
        ConfigError: a number is negative, or a run is to be compared with itself.
    """

    pictures: int = 24
    classes: int = 12
    compared: int = 12
    compare: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        for name in ("pictures", "classes", "compared"):
            if (number := getattr(self, name)) < 0:
                raise ConfigError(f"{name} must be 0 or more, not {number}")
        if self.compare is not None and self.compare[0] == self.compare[1]:
            raise ConfigError(f"run {self.compare[0]!r} cannot be compared with itself")


@dataclass(frozen=True)
class ComparedImage:
    """An image with what two runs found in it; ``photo`` is None where the corpus is gone."""

    pair: ImagePair
    first: LabelMap
    second: LabelMap
    photo: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Found:
    """Pictures of a catalog version.

    ``sample`` says among which images extremes of a class were sought; ``corpus`` whose images gallery and
    classes are from, None for those of all corpora.
    """

    gallery: tuple[GalleryItem, ...] = ()
    classes: tuple[ClassMask, ...] = ()
    sample: ShardSample = NO_SHARDS
    comparison: Comparison | None = None
    compared: tuple[ComparedImage, ...] = ()
    corpus: str | None = None


NOTHING = Found()


def find_pictures(
    uri: str,
    version: int | None,
    corpus: CorpusReader | None,
    plan: PicturePlan = PicturePlan(),
    say: Callable[[str], None] = lambda words: None,
) -> Found:
    """Choose pictures and masks of a catalog version and read the photographs they lie on.

    Where the corpus cannot be read any more, `say` is told so; masks are then shown on a plain ground, and
    the gallery of labelled images is left out.

    Args:
        uri: the catalog.
        version: default: the newest.
        corpus: what was labelled; None where no label run names one.
        plan: how much is shown.
        say: takes a line for a person.

    Raises:
        CatalogError: no catalog at `uri`, no such version, a run of `plan.compare` is not there or the two
            have no image in common, or a mask is damaged.
    """
    with connect(uri, version) as db:
        runs = _label_runs(db, corpus)
        sample = sample_shards(db, runs)
        picks = pick_gallery(db, corpus.name, plan.pictures) if corpus and plan.pictures else []
        masks = pick_masks(db, runs, sample, plan.classes) if plan.classes else []
        comparison = _comparison(db, plan)
        alike = comparison is not None and corpus is not None and comparison.second.corpus == corpus.name
        photos = _photos(corpus, _wanted(picks, masks, comparison if alike else None), say)
        return Found(
            gallery=tuple(gallery_items(db, picks, photos)) if photos else (),
            classes=tuple(class_masks(masks, photos)),
            sample=sample,
            comparison=comparison,
            compared=_compared(db, comparison, photos if alike else {}) if comparison else (),
            corpus=None if corpus is None else corpus.name,
        )


def _label_runs(db: duckdb.DuckDBPyConnection, corpus: CorpusReader | None) -> list[str]:
    """Return the counted label runs of the corpus whose photographs can be read."""
    of_corpus = {r.run_id for r in all_runs(db) if corpus is None or r.corpus == corpus.name}
    return [run_id for run_id in counted_label_runs(db) if run_id in of_corpus]


def _comparison(db: duckdb.DuckDBPyConnection, plan: PicturePlan) -> Comparison | None:
    """Compare the named runs, or the first likely pair that has images in common."""
    runs = all_runs(db)
    if plan.compare is not None:
        named = compare_runs(db, chosen_pair(runs, plan.compare), plan.compared)
        if named is None:
            raise CatalogError(f"runs {plan.compare[0]!r} and {plan.compare[1]!r} have no image in common")
        return named
    pairs = likely_pairs(runs) if plan.compared else []
    return next((found for pair in pairs if (found := compare_runs(db, pair, plan.compared))), None)


def _wanted(picks: list[Pick], masks: list[MaskPick], comparison: Comparison | None) -> list[Wanted]:
    pairs = comparison.worst if comparison else ()
    return [
        *(pick.wanted for pick in picks),
        *(mask.wanted for mask in masks),
        *(Wanted(p.image.shard_id, p.key, p.image.height * p.image.width) for p in pairs),
    ]


def _photos(corpus: CorpusReader | None, wanted: list[Wanted], say: Callable[[str], None]) -> Photos:
    if corpus is None:
        return {}
    try:
        return read_photos(corpus, wanted)
    except (CorpusError, SampleError) as err:
        say(f"the report has no photographs: {err}")
        return {}


def _compared(
    db: duckdb.DuckDBPyConnection, comparison: Comparison, photos: Photos
) -> tuple[ComparedImage, ...]:
    images = [pair.image for pair in comparison.worst]
    first, second = (label_maps(db, run.run_id, images) for run in (comparison.first, comparison.second))
    return tuple(
        ComparedImage(p, first[p.image], second[p.image], photos.get((p.image.shard_id, p.key)))
        for p in comparison.worst
    )
