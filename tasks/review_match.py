"""Which image of a catalog a correction file means by a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..catalogs.corrections import Fault, ReviewReason
from ..catalogs.files import read_files

_COLUMNS = ["image_id", "corpus", "key", "shard_id", "shard_uri", "width", "height", "sha256"]
_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".jp2", ".avif")
)


@dataclass(frozen=True)
class KnownImage:
    """An image as the newest label run that saw it describes it; ``row`` holds columns of ``images``."""

    row: dict[str, Any]

    @property
    def key(self) -> str:
        return str(self.row["key"])


class ImageNames:
    """Finds the images of some names among those of label runs.

    A name means the image that has just this key, letter by letter. Else it is taken for a path: it means the
    image with that key, or with that key and a suffix of image files; else the image whose key is the end of
    the name, or that ends in the name, by whole folders.

    Args:
        files: URIs of ``images`` files; where two hold an image, the later one counts.
        names: what will be asked for; only images that one of them can mean are kept in memory.

    Raises:
        CatalogError: a file is missing or damaged.
    """

    def __init__(self, files: Sequence[str], names: Iterable[str]) -> None:
        forms = (form for name in names for form in (name, *_forms(name)))
        wanted = pa.array({form.rpartition("/")[2] for form in forms}, pa.string())
        self._images: dict[str, KnownImage] = {}
        self._endings: dict[str, set[str]] = defaultdict(set)
        for file in files:
            for row in _named(read_files("images", [file], _COLUMNS), wanted).select(_COLUMNS).to_pylist():
                self._images[row["key"]] = KnownImage(row)
                self._endings[row["key"].rpartition("/")[2]].add(row["key"])

    def find(self, names: Sequence[str]) -> KnownImage | Fault:
        """Return the image that the first of the names means that means any."""
        for name in names:
            found = self._find(name)
            if found is not None:
                return found
        return Fault(ReviewReason.UNKNOWN_IMAGE, f"no labelled image of the corpus is called {names[0]!r}")

    def _find(self, name: str) -> KnownImage | Fault | None:
        if name in self._images:
            return self._images[name]
        forms = list(_forms(name))
        key = next((key for form in forms for key in _endings(form) if key in self._images), None)
        if key is not None:
            return self._images[key]
        longer = [
            k for f in forms for k in self._endings.get(f.rpartition("/")[2], ()) if k.endswith(f"/{f}")
        ]
        if len(longer) > 1:
            shown = ", ".join(repr(key) for key in sorted(longer)[:3])
            return Fault(ReviewReason.AMBIGUOUS_IMAGE, f"{name!r} may mean {shown}; give more of the path")
        return self._images[longer[0]] if longer else None


def _forms(name: str) -> Iterator[str]:
    """Yield a name, and the same without the suffix of an image file."""
    plain = name.replace("\\", "/").strip("/").removeprefix("./")
    yield plain
    path = PurePosixPath(plain)
    if path.suffix.lower() in _SUFFIXES:
        yield str(path.with_suffix(""))


def _endings(form: str) -> Iterator[str]:
    parts = form.split("/")
    for start in range(len(parts)):
        yield "/".join(parts[start:])


def _named(images: pa.Table, wanted: pa.Array) -> pa.Table:
    """Return the images whose key ends, after the last slash, in one of the wanted names."""
    return images.filter(
        pc.is_in(pc.replace_substring_regex(images["key"], "(?s)^.*/", ""), value_set=wanted)
    )
