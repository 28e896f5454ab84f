"""The rows that labelling one shard leaves in ``images``, ``masks`` and ``errors``."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalogs.files import FileAdd, write_rows
from ..catalogs.rle import mask_rows
from ..schemas.errors import ErrorReason
from ..schemas.labelmap import LabelMap
from ..schemas.samples import Shard, image_id
from ..schemas.vocabulary import Vocabulary

LABELLED = "labelled"
NO_VOCABULARY = "no_vocabulary"


@dataclass(frozen=True)
class DecodedImage:
    """An image ready for the segmenter: (H, W, 3) uint8 RGB, its file's sha256 and seconds of decoding."""

    key: str
    pixels: NDArray[np.uint8]
    sha256: str
    seconds: float


@dataclass
class ShardRows:
    """Collects the rows of one shard; ``min_area`` in pixels is the smallest mask that is kept."""

    corpus: str
    shard: Shard
    segmenter: str
    min_area: int
    images: list[dict[str, Any]] = field(default_factory=list)
    masks: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def labelled(self, image: DecodedImage, vocabulary: Vocabulary, label_map: LabelMap) -> None:
        identity = self._identity(image.key)
        origin = {"label_kind": label_map.label_kind, "segmenter": self.segmenter}
        masks = [identity | origin | row for row in mask_rows(label_map, min_area=self.min_area)]
        self.masks += masks
        names = [name for name in vocabulary.names if name != "background"]
        self._image(image, LABELLED, names, len(masks))

    def without_vocabulary(self, image: DecodedImage, status: str = NO_VOCABULARY) -> None:
        self._image(image, status, [], 0)

    def failed(self, key: str | None, reason: ErrorReason, detail: str) -> None:
        self.errors.append(error_row("label", self.corpus, self.shard.shard_id, key, reason, detail))

    def write(self, catalog_uri: str, run_id: str, always: Set[str]) -> tuple[FileAdd, ...]:
        """Write the shard's files, ``images`` last: of the tables in ``always``, and of others with rows."""
        tables = {"masks": self.masks, "errors": self.errors, "images": self.images}
        return tuple(
            write_rows(catalog_uri, table, run_id, self.shard.shard_id, rows)
            for table, rows in tables.items()
            if rows or table in always
        )

    def _image(self, image: DecodedImage, status: str, names: list[str], masks: int) -> None:
        height, width = image.pixels.shape[:2]
        measured = {"width": width, "height": height, "sha256": image.sha256}
        outcome = {"status": status, "vocabulary": names, "masks": masks}
        self.images.append(self._identity(image.key) | {"shard_uri": self.shard.uri} | measured | outcome)

    def _identity(self, key: str) -> dict[str, Any]:
        return {
            "image_id": image_id(self.corpus, key),
            "corpus": self.corpus,
            "key": key,
            "shard_id": self.shard.shard_id,
        }


def error_row(
    stage: str, corpus: str, shard_id: str, key: str | None, reason: ErrorReason, detail: str
) -> dict[str, Any]:
    """Return a row of ``errors``; ``key`` is None where a whole shard is concerned."""
    return {
        "stage": stage,
        "corpus": corpus,
        "shard_id": shard_id,
        "key": key,
        "image_id": None if key is None else image_id(corpus, key),
        "reason": str(reason),
        "detail": detail,
    }
