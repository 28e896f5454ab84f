"""Every picture of a page, set with one colour per class and one size that keeps the page small."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..overlay import names_in
from ..palette import colours_of
from .class_cards import ClassCard, set_cards
from .compared_rows import ComparedRow, set_compared
from .comparison import Comparison
from .found import NOTHING, Found
from .items import GalleryItem
from .pictures import Gallery, Kit, Swatch, names_of, set_gallery, swatches
from .sample import ShardSample
from .thumbnails import Place, in_page

# A photograph of 320 x 240 pixels takes some 15 kB in the page with its masks: 200 of them stay below 5 MB.
_SIDE_OF_200 = 320
_LARGEST_SIDE = 448
# A mask of the class gallery is about this much of a whole picture.
_SHARE_OF_A_MASK = 0.4


@dataclass(frozen=True)
class PagePictures:
    """What the templates draw; ``classes`` are indexed by everything else, ``corpus`` is that of `Found`."""

    gallery: Gallery
    classes: tuple[Swatch, ...]
    cards: tuple[ClassCard, ...]
    sample: ShardSample
    comparison: Comparison | None
    compared: tuple[ComparedRow, ...]
    corpus: str | None


def prepare(items: Sequence[GalleryItem], found: Found = NOTHING, place: Place = in_page) -> PagePictures:
    """Set gallery items, and what was found in a catalog, for one page.

    Args:
        items: rows of the gallery; `found`'s own where there is none.
        found: class gallery and comparison.
        place: where thumbnails go.
    """
    items = items or found.gallery
    counts = _counts(items, found)
    colours = colours_of(counts)
    count = len(items) + len(found.compared) + _SHARE_OF_A_MASK * len(found.classes)
    kit = Kit(colours, {name: i for i, name in enumerate(counts)}, side_for(count), place)
    return PagePictures(
        gallery=set_gallery(items, kit),
        classes=swatches(counts, colours),
        cards=set_cards(found.classes, kit),
        sample=found.sample,
        comparison=found.comparison,
        compared=set_compared(found.compared, found.comparison, kit) if found.comparison else (),
        corpus=found.corpus,
    )


def side_for(thumbnails: float) -> int:
    """Return the longer side of thumbnails, in pixels, with which so many keep a page below 5 MB."""
    return min(_LARGEST_SIDE, math.floor(_SIDE_OF_200 * math.sqrt(200 / max(thumbnails, 1))))


def _counts(items: Sequence[GalleryItem], found: Found) -> dict[str, int]:
    """Return class -> pictures of the gallery in which it occurs, most first, classes of other parts last."""
    counts = Counter(name for item in items for name in names_of(item))
    counts.update(dict.fromkeys(_others(found), 0))
    return dict(sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def _others(found: Found) -> Iterable[str]:
    yield from (mask.label for mask in found.classes)
    for image in found.compared:
        yield from names_in(image.first)
        yield from names_in(image.second)
