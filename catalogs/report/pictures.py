"""Gallery items made ready for the page: thumbnails, layers, tags, and words for who cannot see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...schemas.labelmap import LabelMap
from ..overlay import OverlayStyle, names_in, overlay_layer, tags
from ..palette import RGB, colours_of, ink_on
from .items import GalleryItem
from .thumbnails import fit, layer_uri, photo_uri

_STYLE = OverlayStyle(fill=0.52, outline=2)
_TAGS = 8
_FEW = 60
_SIDES = (448, 320)  # pixels, for few and for many items: keeps a page of 200 thumbnails below 5 MB


@dataclass(frozen=True)
class Swatch:
    """A class with its colour as CSS; ``items`` counts the gallery items in which it occurs."""

    name: str
    colour: str
    ink: str
    items: int


@dataclass(frozen=True)
class PlacedTag:
    """A name on a picture: percent from left and top, and the index of its class in `Gallery.classes`."""

    index: int
    x: float
    y: float


@dataclass(frozen=True)
class Layer:
    """One label map of a row; ``uri`` is None where nothing was labelled."""

    role: str
    title: str
    uri: str | None
    alt: str
    tags: tuple[PlacedTag, ...]
    miou: float | None


@dataclass(frozen=True)
class Row:
    """One gallery item; ``classes`` are indices into `Gallery.classes`."""

    key: str
    photo: str
    aspect: str
    captions: tuple[str, ...]
    group: str
    layers: tuple[Layer, ...]
    classes: tuple[int, ...]
    teacher: float | None
    student: float | None


@dataclass(frozen=True)
class Gallery:
    rows: tuple[Row, ...] = ()
    classes: tuple[Swatch, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def has_scores(self) -> bool:
        return any(row.student is not None or row.teacher is not None for row in self.rows)

    @property
    def columns(self) -> int:
        """Pictures in the widest row, the photograph included."""
        return 1 + max((len(row.layers) for row in self.rows), default=0)


def prepare(items: Sequence[GalleryItem]) -> Gallery:
    """Turn items into rows; a class has one colour on the whole page."""
    counts = Counter(name for item in items for name in _names(item))
    colours = colours_of(counts)
    order = [name for name, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]
    index = {name: i for i, name in enumerate(order)}
    kit = _Kit(colours, index, _SIDES[len(items) > _FEW])
    return Gallery(
        rows=tuple(kit.row(item) for item in items),
        classes=tuple(Swatch(n, _css(colours[n]), _css(ink_on(colours[n])), counts[n]) for n in order),
        groups=tuple(dict.fromkeys(item.group for item in items if item.group)),
    )


@dataclass(frozen=True)
class _Kit:
    """What all rows share: a colour and an index per class, and the longer side of thumbnails in pixels."""

    colours: Mapping[str, RGB]
    index: Mapping[str, int]
    side: int

    def row(self, item: GalleryItem) -> Row:
        teacher, student = item.scores
        maps = (
            ("truth", "Ground truth", item.truth, None),
            ("teacher", "Pseudo-mask", item.teacher, teacher),
            ("student", "Student", item.student, student),
        )
        size = fit(item.image.shape[1], item.image.shape[0], self.side)
        return Row(
            key=item.key,
            photo=photo_uri(item.image, self.side),
            aspect=f"{size[0]} / {size[1]}",
            captions=item.captions,
            group=item.group,
            layers=tuple(
                self._layer(m, role, title, miou, size) for role, title, m, miou in maps if m is not None
            ),
            classes=tuple(sorted(self.index[name] for name in _names(item))),
            teacher=teacher,
            student=student,
        )

    def _layer(
        self, label_map: LabelMap, role: str, title: str, miou: float | None, size: tuple[int, int]
    ) -> Layer:
        drawn = overlay_layer(label_map, self.colours, size, _STYLE)
        places = tags(label_map)
        said = ", ".join(f"{tag.name} {tag.fraction:.0%}" for tag in places) or "nothing labelled"
        return Layer(
            role=role,
            title=title,
            uri=layer_uri(drawn) if drawn.any() else None,
            alt=f"{title}: {said}",
            tags=tuple(
                PlacedTag(self.index[t.name], round(100 * t.x, 1), round(100 * t.y, 1))
                for t in places[:_TAGS]
            ),
            miou=miou,
        )


def _names(item: GalleryItem) -> list[str]:
    maps = (item.truth, item.teacher, item.student)
    return list(dict.fromkeys(name for m in maps if m is not None for name in names_in(m)))


def _css(colour: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
