"""The masks of a pinned label run and its corrections, shard by shard, with the images they lie on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...schemas.errors import CatalogError, CorpusError
from ...schemas.labelmap import IGNORE
from ...schemas.samples import Sample, Shard
from ...schemas.tables import PARTITION
from ..corpora import CorpusReader, open_corpus
from ..files import read_files, run_of
from ..parts import Part, parts_of, read_part
from ..prototype_labels import PrototypeLabels
from ..reviews import Reviews
from ..run_corpus import corpus_of
from ..splits import split_of
from ..storage import reported_as
from ..store import Catalog
from .classes import ClassMap
from .config import ExportConfig
from .records import ExportMask, ExportRecord

_IMAGE_COLUMNS = ["image_id", "key", "width", "height", "sha256", "status"]
_LABEL = ["label", "label_kind"]
_BOX = ["bbox_x", "bbox_y", "bbox_w", "bbox_h"]
_MASK_COLUMNS = ["image_id", *_LABEL, "rle", "score", "area", *_BOX]
_FILES_AT_ONCE = 64
LABELLED = "labelled"

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class ExportSource:
    """What one export reads. Holds the rows of one shard at a time, and one image.

    Attributes:
        version, run_id, run: what was pinned.
        tag: the tag that named the version, None where it was a number or the newest.
        reviews: what people corrected, which stands in for the run's masks.
        prototypes: what the masks of prototypes are called.
        classes: the classes of the export.
        shards: shard ids, sorted.

    Raises:
        CatalogError: no such version, tag or label run, or no class is left.
        ConfigError: the vocabulary of the classes cannot be read.
    """

    def __init__(self, uri: str, config: ExportConfig) -> None:
        catalog = Catalog.open(uri)
        self.uri = catalog.uri
        self.version = catalog.resolve(config.version)
        self.tag = config.tag
        self.run = catalog.newest_run("label", self.version, config.run_id)
        self.run_id: str = self.run[PARTITION]
        self._config = config
        self._images, self._masks = (self._parts(catalog, table) for table in ("images", "masks"))
        self.shards = tuple(sorted(self._images))
        self.prototypes = PrototypeLabels.of(catalog, self.version)
        self.reviews = self._reviews(catalog) if config.corrections else Reviews.none()
        self.classes = (
            ClassMap.of_labels(self._labels() | self.reviews.labels())
            if config.classes is None
            else ClassMap.load(config.classes, config.unknown)
        )
        self._reader: CorpusReader | None = None
        self._corpus_shards: dict[str, Shard] = {}

    def records(self, shard_id: str) -> Iterator[ExportRecord]:
        """Yield the images of a shard that were labelled or reviewed, in the order of the corpus.

        Raises:
            CorpusError: the corpus is gone.
            CatalogError: an image is gone or is not the one that was labelled, or a file is damaged.
        """
        rows = read_part("images", self._images[shard_id], _IMAGE_COLUMNS).to_pylist()
        drawn = self.reviews.masks([row["image_id"] for row in rows], _MASK_COLUMNS)
        seen = {r["key"]: r for r in rows if r["status"] == LABELLED or r["image_id"] in drawn}
        masks = self._masks_by_image(shard_id)
        if self._config.images == "none":
            for row in seen.values():
                yield self._record(shard_id, row, drawn, masks, None)
            return
        for sample in self._samples(shard_id):
            if (found := seen.pop(sample.key, None)) is not None:
                self._check(sample, found)
                yield self._record(shard_id, found, drawn, masks, sample)
        if seen:
            raise CatalogError(
                f"shard {shard_id!r} has lost image {min(seen)!r} since run {self.run_id!r} labelled it"
            )

    def _record(
        self, shard_id: str, row: Mapping[str, Any], drawn: Rows, masks: Rows, sample: Sample | None
    ) -> ExportRecord:
        """Make the record of an image; ``drawn`` are the masks by people, ``masks`` those of the run."""
        corrected = row["image_id"] in drawn
        mine = (drawn if corrected else masks).get(row["image_id"], ())
        ranked = sorted(mine, key=lambda m: (m["score"], m["label"]))
        return ExportRecord(
            key=row["key"],
            image_id=row["image_id"],
            shard_id=shard_id,
            width=row["width"],
            height=row["height"],
            split=split_of(row["image_id"], self._config.val_share, self._config.seed),
            image=None if sample is None else sample.image,
            captions=() if sample is None else tuple(c for c in sample.captions if c is not None),
            masks=tuple(self._mask(m) for m in ranked),
            corrected=corrected,
        )

    def _mask(self, row: Mapping[str, Any]) -> ExportMask:
        small = row["score"] < self._config.min_score or row["area"] < self._config.min_area
        box = (row["bbox_x"], row["bbox_y"], row["bbox_w"], row["bbox_h"])
        class_id = IGNORE if small else self.classes.id_of(row["label"])
        return ExportMask(row["label"], class_id, row["score"], row["rle"], box, row["area"])

    def _masks_by_image(self, shard_id: str) -> dict[str, list[dict[str, Any]]]:
        masks: dict[str, list[dict[str, Any]]] = defaultdict(list)
        if shard_id in self._masks:
            for row in read_part("masks", self._masks[shard_id], _MASK_COLUMNS).to_pylist():
                label = self.prototypes.label_of(row)
                if label is not None:
                    masks[row["image_id"]].append(row | {"label": label})
        return masks

    def _samples(self, shard_id: str) -> Iterator[Sample]:
        if self._reader is None:
            self._reader = open_corpus(self._config.corpus or corpus_of(self.run))
            self._corpus_shards = {shard.shard_id: shard for shard in self._reader.shards()}
        if shard_id not in self._corpus_shards:
            raise CatalogError(
                f"corpus {self._reader.uri!r} has no shard {shard_id!r}, which run {self.run_id!r} labelled: "
                "name where the corpus lies now, with the same shard size"
            )
        with reported_as(CorpusError, f"shard {shard_id!r} of the corpus cannot be read"):
            for sample in self._reader.read(self._corpus_shards[shard_id]):
                if isinstance(sample, Sample):
                    yield sample

    def _check(self, sample: Sample, row: Mapping[str, Any]) -> None:
        if hashlib.sha256(sample.image).hexdigest() != row["sha256"]:
            raise CatalogError(f"image {sample.key!r} has changed since run {self.run_id!r} labelled it")

    def _parts(self, catalog: Catalog, table: str) -> dict[str, Part]:
        files = catalog.files(table, self.version)
        return parts_of([file for file in files if run_of(file) == self.run_id])

    def _reviews(self, catalog: Catalog) -> Reviews:
        images = sorted({part.uri for part in self._images.values()})
        return Reviews.of(catalog, self.version, self.run, images)

    def _labels(self) -> set[str]:
        files, labels = sorted({part.uri for part in self._masks.values()}), set[str]()
        for first in range(0, len(files), _FILES_AT_ONCE):
            found = read_files("masks", files[first : first + _FILES_AT_ONCE], _LABEL)
            for row in found.group_by(_LABEL).aggregate([]).to_pylist():
                label = self.prototypes.label_of(row)
                if label is not None:
                    labels.add(label)
        return labels
