"""A report page with two hundred thumbnails of everything that it can show."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from maskmill.catalogs.report.class_gallery import KINDS, ClassMask
from maskmill.catalogs.report.comparison import ClassPair, Comparison, ImagePair, LabelPair
from maskmill.catalogs.report.data import Bin, Cooccurrence, LabelFigures, MaskFigures, ReportData, RunFigures
from maskmill.catalogs.report.found import ComparedImage, Found
from maskmill.catalogs.report.items import GalleryItem, index_map
from maskmill.catalogs.report.label_maps import ImageRef
from maskmill.catalogs.report.page import render_page
from maskmill.catalogs.report.sample import ShardSample
from maskmill.catalogs.report.thumbnails import Place, in_page

CLASSES = ("cat", "dog", 'a "cart"', "tree")
NAMES = ("background", *CLASSES)
PICTURES, CUTOUTS, COMPARED = 132, 4 * len(KINDS) * 4, 4


def large_page(place: Place = in_page, pictures: int = PICTURES) -> str:
    """Return the page; its pictures are 320 x 240 and about as hard to compress as photographs.

    With fewer than all pictures, there is but one cutout.
    """
    items, found = _parts()
    if pictures < PICTURES:
        items, found = items[:pictures], replace(found, classes=found.classes[:1])
    labels = tuple(LabelFigures(name, 9, 0.5, 0.2, (1, 8), (4, 5)) for name in CLASSES)
    bins = (Bin("0", 4), Bin("1", 5))
    masks = MaskFigures(36, labels, bins, bins, Cooccurrence(CLASSES[:2], ((9, 3), (3, 9))))
    return render_page(ReportData("data/catalog", 3, masks=masks), items, "Two hundred", found, place)


@cache
def _parts() -> tuple[tuple[GalleryItem, ...], Found]:
    rng = np.random.default_rng(3)
    items = tuple(_item(rng, i) for i in range(PICTURES))
    cutouts = tuple(
        ClassMask(name, f"{name}-{kind}-{i}", kind, _blob(rng), _photo(rng), 0.5, 9000, 0.12)
        for name in CLASSES
        for kind in KINDS.values()
        for i in range(CUTOUTS // len(CLASSES) // len(KINDS))
    )
    compared = tuple(_compared(rng, i) for i in range(COMPARED))
    return items, Found((), cutouts, ShardSample(("0",), 10, 99), _comparison(compared), compared)


def _item(rng: np.random.Generator, number: int) -> GalleryItem:
    found = index_map(_blob(rng) * np.uint16(1 + number % len(CLASSES)), NAMES)
    group = ("most certain", "least certain", "random")[number % 3]
    return GalleryItem(
        f"{number:05d}", _photo(rng), teacher=found, captions=(f"number {number}",), group=group
    )


def _compared(rng: np.random.Generator, number: int) -> ComparedImage:
    area = _blob(rng)
    pair = ImagePair(
        f"both-{number}",
        ImageRef(str(number), "0", *area.shape),
        0.0,
        (LabelPair("cat", 0.0, True, False), LabelPair("dog", 0.0, False, True)),
    )
    first, second = (index_map(area * np.uint16(i), NAMES) for i in (1, 2))
    return ComparedImage(pair, first, second, _photo(rng))


def _comparison(compared: tuple[ComparedImage, ...]) -> Comparison:
    runs = [
        RunFigures(f"{k}-1", k, "finished", "2026-01-02 03:04 UTC", 1.0, "c", "0")
        for k in ("label", "review")
    ]
    classes = (ClassPair("cat", 4, 0, 0, None), ClassPair("dog", 4, 4, 4, 0.5))
    bins = (Bin("0.0", 4),)
    sample = ShardSample(("0",), 4, 4)
    return Comparison(runs[0], runs[1], sample, 4, 0.0, bins, classes, tuple(c.pair for c in compared))


def _photo(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Patches of colour with some noise."""
    coarse = np.kron(rng.integers(20, 220, (12, 16, 3)), np.ones((20, 20, 1), np.int64))
    return (coarse + rng.integers(0, 14, coarse.shape)).astype(np.uint8)


def _blob(rng: np.random.Generator) -> NDArray[np.bool_]:
    """An ellipse somewhere, (240, 320) bool."""
    y, x = np.mgrid[:240, :320]
    high, wide = rng.integers(30, 110), rng.integers(30, 140)
    blob: NDArray[np.bool_] = ((y - 120) / high) ** 2 + ((x - rng.integers(100, 220)) / wide) ** 2 < 1
    return blob
