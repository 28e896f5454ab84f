"""Pseudo-masks of a pinned catalog version as training samples."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..schemas.config import CorpusConfig
from ..schemas.errors import CatalogError
from ..schemas.labelmap import BACKGROUND, IGNORE
from ..schemas.samples import BadSample, Sample
from ..schemas.tables import PARTITION
from .corpora import open_corpus
from .files import read_files, run_of
from .images import MAX_PIXELS, decode_image
from .parts import Part, parts_of, read_part
from .rle import decode_mask
from .store import Catalog

_IMAGE_COLUMNS = ["image_id", "key", "width", "height", "sha256", "status"]
_MASK_COLUMNS = ["image_id", "label", "rle", "score"]


@dataclass(frozen=True)
class MaskRecord:
    """One labelled image, compressed as it is stored.

    Args:
        image: the image file's bytes.
        masks: (class id or 65535 to ignore, COCO compressed RLE), in the order of painting.
    """

    key: str
    image: bytes
    width: int
    height: int
    masks: tuple[tuple[int, bytes], ...]

    def labels(self) -> NDArray[np.uint16]:
        """Return the (H, W) class ids; 0 is background, 65535 is ignore."""
        labels = np.full((self.height, self.width), BACKGROUND, np.uint16)
        for label, rle in self.masks:
            labels[decode_mask(rle, self.height, self.width)] = label
        return labels


class MaskStream:
    """The labelled images of one label run in a pinned version, read shard by shard.

    Images come from where the corpus lies and are held against the sha256 that was stored when they were
    labelled. Images without a vocabulary were never shown to the segmenter and are left out. Where masks
    overlap, the one with the higher score lies on top.

    Args:
        uri: the catalog.
        version: catalog version or tag; None pins the newest.
        run_id: label run; None takes the newest finished one in the version.
        corpus: where the images lie now; default: where the run found them.
        classes: names in the order of their ids, background first; default: the background and the labels
            of the run by name. Masks with another label are ignored pixels.
        min_score: masks with a lower score are ignored pixels.

    Attributes:
        version, run_id, classes: what was pinned.

    Raises:
        CatalogError: no such version or label run, or no class is left.
    """

    def __init__(
        self,
        uri: str,
        version: int | str | None = None,
        run_id: str | None = None,
        corpus: CorpusConfig | None = None,
        classes: Sequence[str] | None = None,
        min_score: float = 0.0,
    ) -> None:
        catalog = Catalog.open(uri)
        self.version = catalog.resolve(version)
        self.run = catalog.newest_run("label", self.version, run_id)
        self.run_id: str = self.run[PARTITION]
        self._corpus = corpus or corpus_of(self.run)
        self._images, self._masks = (self._files(catalog, table) for table in ("images", "masks"))
        self.classes = tuple(classes) if classes is not None else self._derive_classes()
        self._ids = {name: i for i, name in enumerate(self.classes)}
        self._min_score = min_score
        if len(self.classes) < 2:
            raise CatalogError(f"run {self.run_id!r} has no masks to learn from in version {self.version}")

    def __iter__(self) -> Iterator[MaskRecord]:
        """Yield the records in the order of the corpus.

        Raises:
            CorpusError: the corpus is gone.
            CatalogError: an image is gone or is not the one that was labelled.
        """
        reader = open_corpus(self._corpus)
        expected = set(self._images)
        for shard in reader.shards():
            if shard.shard_id in expected:
                expected.remove(shard.shard_id)
                yield from self._records(shard.shard_id, reader.read(shard))
        if expected:
            raise CatalogError(
                f"corpus {reader.uri!r} has no shard {min(expected)!r}, which run {self.run_id!r} labelled: "
                "name where the corpus lies now, with the same shard size"
            )

    def _records(self, shard_id: str, samples: Iterator[Sample | BadSample]) -> Iterator[MaskRecord]:
        rows = {
            r["key"]: r
            for r in _read("images", self._images[shard_id], _IMAGE_COLUMNS)
            if r["status"] == "labelled"
        }
        masks: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for mask in _read("masks", self._masks[shard_id], _MASK_COLUMNS) if shard_id in self._masks else ():
            masks[mask["image_id"]].append(mask)
        for sample in samples:
            row = rows.pop(sample.key, None) if sample.key is not None else None
            if row is None or isinstance(sample, BadSample):
                continue
            if hashlib.sha256(sample.image).hexdigest() != row["sha256"]:
                raise CatalogError(f"image {sample.key!r} has changed since run {self.run_id!r} labelled it")
            painted = self._in_order(masks[row["image_id"]])
            yield MaskRecord(sample.key, sample.image, row["width"], row["height"], painted)
        if rows:
            raise CatalogError(f"shard {shard_id!r} has lost image {min(rows)!r} since run {self.run_id!r}")

    def _in_order(self, masks: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, bytes], ...]:
        ranked = sorted(masks, key=lambda m: (m["score"], m["label"]))
        return tuple(
            (self._ids.get(m["label"], IGNORE) if m["score"] >= self._min_score else IGNORE, m["rle"])
            for m in ranked
        )

    def _files(self, catalog: Catalog, table: str) -> dict[str, Part]:
        return parts_of([file for file in catalog.files(table, self.version) if run_of(file) == self.run_id])

    def _derive_classes(self) -> tuple[str, ...]:
        found = read_files("masks", sorted({part.uri for part in self._masks.values()}), ["label"])
        labels = set(found.column("label").unique().to_pylist())
        return ("background", *sorted(labels - {"background"}))


class MaskDataset:
    """All records of a :class:`MaskStream` in memory, decoded when they are asked for; a map-style dataset
    for ``torch.utils.data.DataLoader`` that itself needs no torch.

    Memory: the files' bytes and some hundred bytes per mask, about 50 kB for one web-sized photograph;
    100,000 images take 5 GB. Larger runs are read with :class:`MaskStream`.

    Args:
        records: a stream, or records.
    """

    def __init__(self, records: Iterable[MaskRecord]) -> None:
        self._records = list(records)

    def __len__(self) -> int:
        return len(self._records)

    def key(self, index: int) -> str:
        return self._records[index].key

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Return (H, W, 3) uint8 RGB and (H, W) uint16 class ids; 0 is background, 65535 is ignore.

        Raises:
            CatalogError: the image decodes to another size than its masks have.
            SampleError: it cannot be decoded.
        """
        record = self._records[index]
        image = decode_image(record.image, max_pixels=max(MAX_PIXELS, record.height * record.width))
        if image.shape[:2] != (record.height, record.width):
            raise CatalogError(
                f"image {record.key!r} is {image.shape[1]} x {image.shape[0]}, its masks are "
                f"{record.width} x {record.height}"
            )
        return image, record.labels()


def corpus_of(run: Mapping[str, Any]) -> CorpusConfig:
    """Return how to read the corpus of a ``runs`` row again, as the run itself read it."""
    if run.get("corpus_config"):
        return CorpusConfig.model_validate_json(run["corpus_config"])
    return CorpusConfig(uri=run["corpus_uri"], name=run["corpus"])


def _read(table: str, part: Part, columns: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_part(table, part, columns).to_pylist()
    return rows
