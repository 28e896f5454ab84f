"""What a dataset pins: a version, a label run, the reviews that correct it, and the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...schemas.errors import CatalogError
from ...schemas.tables import PARTITION
from ..files import read_files, run_of
from ..parts import Part, parts_of
from ..prototype_labels import PrototypeLabels
from ..reviews import Reviews
from ..run_corpus import corpus_of
from ..store import Catalog
from .selection import Selection

BACKGROUND_NAME = "background"
KNOWN_KIND = "vocabulary"
_FILES_AT_ONCE = 64


class PinnedMasks:
    """The masks of one label run in one catalog version. Nothing here changes once it is made.

    Attributes:
        version: the catalog version, also where a tag named it.
        run: the row of the label run, ``run_id`` its id.
        review_run_ids: the runs whose masks stand in for the run's, oldest first.
        corpus: where and how the images are read.
        images, masks: the parts of the run, by shard.
        prototypes: what the masks of prototypes are called, by what people decided up to the version.
        classes: names in the order of their ids, background first.
        known: (C,) bool: not a class that only prototypes or free text gave; true for the background and for
            a given class without masks.

    Raises:
        CatalogError: no such version, tag or label run, no class is left, or the first of the given
            classes is a label.
    """

    def __init__(self, uri: str, version: int | str | None, selection: Selection) -> None:
        catalog = Catalog.open(uri)
        self.uri = catalog.uri
        self.version = catalog.resolve(version)
        self.run = catalog.newest_run("label", self.version, selection.run_id)
        self.run_id: str = self.run[PARTITION]
        self.corpus = selection.corpus or corpus_of(self.run)
        self.images, self.masks = (self._parts(catalog, table) for table in ("images", "masks"))
        self.reviews = self._reviews(catalog) if selection.corrections else Reviews.none()
        self.review_run_ids = self.reviews.run_ids
        self.prototypes = PrototypeLabels.of(catalog, self.version)
        kinds = self._label_kinds()
        self.classes = self._classes(selection, kinds)
        self.known = _known(self.classes, kinds)

    @property
    def decided(self) -> tuple[str, ...]:
        """What people decided about prototypes: ``id=label`` each, ``id=`` where they rejected it, sorted."""
        labels = self.prototypes.labels
        return tuple(f"{name}={labels[name] or ''}" for name in sorted(labels) if labels[name] != name)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides which masks these are, for a record; the version that showed them does not."""
        return {
            "run_id": self.run_id,
            "review_run_ids": list(self.review_run_ids),
            "decided": list(self.decided),
            "classes": list(self.classes),
        }

    def _parts(self, catalog: Catalog, table: str) -> dict[str, Part]:
        files = catalog.files(table, self.version)
        found = parts_of([file for file in files if run_of(file) == self.run_id])
        return {shard: found[shard] for shard in sorted(found)}

    def _reviews(self, catalog: Catalog) -> Reviews:
        return Reviews.of(catalog, self.version, self.run, _files_of(self.images))

    def _label_kinds(self) -> Mapping[str, set[str]]:
        """Return, for every label of the masks, of which kinds its masks are."""
        files = _files_of(self.masks)
        kinds: dict[str, set[str]] = {label: {KNOWN_KIND} for label in self.reviews.labels()}
        for first in range(0, len(files), _FILES_AT_ONCE):
            read = read_files("masks", files[first : first + _FILES_AT_ONCE], ["label", "label_kind"])
            for row in _distinct(read, ["label", "label_kind"]):
                if (label := self.prototypes.label_of(row)) is not None:
                    kinds.setdefault(label, set()).add(row["label_kind"])
        return kinds

    def _classes(self, selection: Selection, kinds: Mapping[str, set[str]]) -> tuple[str, ...]:
        if selection.classes is not None:
            if (first := selection.classes[0]) in kinds.keys() - {BACKGROUND_NAME}:
                raise CatalogError(
                    f"class 0 is the background, and {first!r} is a label of run {self.run_id!r}: put "
                    f"{BACKGROUND_NAME!r} before it"
                )
            return selection.classes
        labels = sorted(kinds.keys() - {BACKGROUND_NAME})
        if not labels:
            raise CatalogError(f"run {self.run_id!r} has no masks to learn from in version {self.version}")
        return (BACKGROUND_NAME, *labels)


def _known(classes: Sequence[str], kinds: Mapping[str, set[str]]) -> NDArray[np.bool_]:
    known = np.array([KNOWN_KIND in kinds.get(name, {KNOWN_KIND}) for name in classes])
    known.flags.writeable = False
    return known


def _files_of(parts: Mapping[str, Part]) -> list[str]:
    return sorted({part.uri for part in parts.values()})


def _distinct(table: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.group_by(list(columns)).aggregate([]).to_pylist()
    return rows
