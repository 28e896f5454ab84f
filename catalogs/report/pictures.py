"""Gallery items made ready for the page: thumbnails, layers, tags, and words for who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...schemas.labelmap import LabelMap
from ..overlay import OverlayStyle, names_in, overlay_layer, tags
from ..palette import RGB, ink_on
from .items import GalleryItem
from .thumbnails import Place, fit, in_page, layer_uri, photo_uri

_STYLE = OverlayStyle(fill=0.52, outline=2)
_TAGS = 8


@dataclass(frozen=True)
class Swatch:
    """A class with its colour as CSS; ``items`` counts the gallery items in which it occurs."""

    name: str
    colour: str
    ink: str
    items: int


@dataclass(frozen=True)
class PlacedTag:
    """A name on a picture: percent from left and top, and its class in `PagePictures.classes`."""

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
    """One gallery item; ``classes`` are indices into `PagePictures.classes`."""

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
    groups: tuple[str, ...] = ()

    @property
    def has_scores(self) -> bool:
        return any(row.student is not None or row.teacher is not None for row in self.rows)

    @property
    def columns(self) -> int:
        """Pictures in the widest row, the photograph included."""
        return 1 + max((len(row.layers) for row in self.rows), default=0)


@dataclass(frozen=True)
class Kit:
    """What all pictures of a page share.

    Args:
        colours: a colour per class, the same all over the page.
        index: place of a class in the list of swatches.
        side: longer side of thumbnails, in pixels.
        place: where thumbnails go.
    """

    colours: Mapping[str, RGB]
    index: Mapping[str, int]
    side: int
    place: Place = in_page

    def row(self, item: GalleryItem) -> Row:
        """Set one gallery item."""
        teacher, student = item.scores
        maps = (
            ("truth", "Ground truth", item.truth, None),
            ("teacher", "Pseudo-mask", item.teacher, teacher),
            ("student", "Student", item.student, student),
        )
        size = fit(item.image.shape[1], item.image.shape[0], self.side)
        return Row(
            key=item.key,
            photo=photo_uri(item.image, self.side, self.place),
            aspect=f"{size[0]} / {size[1]}",
            captions=item.captions,
            group=item.group,
            layers=tuple(
                self.layer(m, role, title, miou, size) for role, title, m, miou in maps if m is not None
            ),
            classes=tuple(sorted(self.index[name] for name in names_of(item))),
            teacher=teacher,
            student=student,
        )

    def layer(
        self, label_map: LabelMap, role: str, title: str, miou: float | None, size: tuple[int, int]
    ) -> Layer:
        """Set one label map at a size (width, height)."""
        drawn = overlay_layer(label_map, self.colours, size, _STYLE)
        places = tags(label_map)
        said = ", ".join(f"{tag.name} {tag.fraction:.0%}" for tag in places) or "nothing labelled"
        return Layer(
            role=role,
            title=title,
            uri=layer_uri(drawn, self.place) if drawn.any() else None,
            alt=f"{title}: {said}",
            tags=tuple(
                PlacedTag(self.index[t.name], round(100 * t.x, 1), round(100 * t.y, 1))
                for t in places[:_TAGS]
            ),
            miou=miou,
        )


def set_gallery(items: Sequence[GalleryItem], kit: Kit) -> Gallery:
    """Turn items into rows; a class has one colour on the whole page."""
    return Gallery(
        rows=tuple(kit.row(item) for item in items),
        groups=tuple(dict.fromkeys(item.group for item in items if item.group)),
    )


def names_of(item: GalleryItem) -> list[str]:
    """Return the classes that occur in any map of an item, once each."""
    maps = (item.truth, item.teacher, item.student)
    return list(dict.fromkeys(name for m in maps if m is not None for name in names_in(m)))


def swatches(counts: Mapping[str, int], colours: Mapping[str, RGB]) -> tuple[Swatch, ...]:
    """Return the classes of a page in the order of `counts`, which says in how many pictures each occurs."""
    return tuple(Swatch(n, css(colours[n]), css(ink_on(colours[n])), count) for n, count in counts.items())


def css(colour: RGB) -> str:
    """Return a colour as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
