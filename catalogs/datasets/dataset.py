"""Pseudo-masks of a pinned catalog version by position, for any trainer; a PyTorch map-style dataset."""

from __future__ import annotations

import logging
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CatalogError, MaskmillError, SampleError
from .corpus_images import CorpusImages
from .digests import Digests
from .held import Held
from .pinned import PinnedMasks
from .sample import MaskRecord, MaskSample, blank_sample
from .selection import Options, Selection
from .shard_rows import ShardRows, read_shard_rows, wanted_rows

_HELD_BYTES = 1 << 28
# What may be wrong with one image. A store that fails, or a corpus that is gone, concerns all of them.
FAULTS = (CatalogError, SampleError)
_log = logging.getLogger(__name__)


class MaskDataset:
    """The labelled images of one label run in a pinned version, corrections preferred, in any order.

    Positions follow the shards by name, and the order of the corpus within them. Images are read where the
    corpus lies and held against the sha256 that was stored when they were labelled, by default when a process
    reads them for the first time. Images without a vocabulary were never shown to the segmenter and are left
    out, unless a person looked at them. Where masks overlap, the one with the higher score lies on top.

    In memory lie 5 bytes for each image, 8 for each image of a tar that was looked for, and the rows of the
    shards that were used last, up to 256 MiB. A dataset can be pickled, and sent to worker processes started
    in any way; it needs no torch.

    Args:
        uri: the catalog.
        version: catalog version or tag; None pins the newest.
        options: the fields of :class:`Selection`.

    Attributes:
        pinned: what was pinned, with all that follows:
        version, run_id, review_run_ids, classes, known: see :class:`PinnedMasks`.

    Raises:
        CatalogError: no such version, tag or label run, no class is left, or a file is damaged.
        ConfigError: an option does not fit.
    """

    def __init__(self, uri: str, version: int | str | None = None, **options: Unpack[Options]) -> None:
        self.selection = Selection.of(options)
        self.pinned = PinnedMasks(uri, version, self.selection)
        self.shard_ids = tuple(self.pinned.images)
        self._rows = tuple(wanted_rows(self.pinned, shard, self.selection) for shard in self.shard_ids)
        self._ends = np.cumsum([len(rows) for rows in self._rows], dtype=np.int64)
        self._images = CorpusImages(self.pinned.corpus, self.run_id)
        self._digests = Digests(len(self), self.selection.check)
        self._held: Held[ShardRows] = Held(_HELD_BYTES)

    @property
    def version(self) -> int:
        return self.pinned.version

    @property
    def run_id(self) -> str:
        return self.pinned.run_id

    @property
    def review_run_ids(self) -> tuple[str, ...]:
        return self.pinned.review_run_ids

    @property
    def classes(self) -> tuple[str, ...]:
        return self.pinned.classes

    @property
    def known(self) -> NDArray[np.bool_]:
        return self.pinned.known

    @property
    def shard_sizes(self) -> NDArray[np.int64]:
        """(S,) int64 images of each shard of ``shard_ids``."""
        return np.diff(self._ends, prepend=0)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> MaskSample:
        """Read and decode one image.

        Raises:
            IndexError: no such position.
            CatalogError: the image is gone or is not the one that was labelled, a mask is damaged, or the
                corpus has no such shard.
            CorpusError: the corpus or a shard is gone.
            SampleError: the image cannot be decoded. With ``on_error="skip"`` the fault of an image is said
                in ``MaskSample.fault``, and the image is blank.
        """
        try:
            return self.decode(index, self.record(index))
        except FAULTS as err:
            if self.selection.on_error == "raise":
                raise
            return self._blank(index, err)

    def record(self, index: int) -> MaskRecord:
        """Read one image as it is stored.

        Raises:
            IndexError, CatalogError, CorpusError: as for an item.
        """
        shard, row, rows = self._find(index)
        keys = rows.images["key"]
        loaded = self._images.shard(self.shard_ids[shard], keys.to_pylist).load(row)
        key = keys[row].as_py()
        if loaded is None:
            raise CatalogError(
                f"shard {self.shard_ids[shard]!r} has lost image {key!r} since run {self.run_id!r}"
            )
        if not self._digests.agrees(index % len(self), loaded, rows.images["sha256"][row].as_py()):
            raise CatalogError(f"image {key!r} has changed since run {self.run_id!r} labelled it")
        return MaskRecord(
            key,
            rows.images["image_id"][row].as_py(),
            loaded,
            rows.images["width"][row].as_py(),
            rows.images["height"][row].as_py(),
            rows.painted(row),
            bool(rows.human[row]),
            self.selection.background_weight,
        )

    def decode(self, index: int, record: MaskRecord) -> MaskSample:
        """Decode the record of an image, faster than the record itself: bands are made for many at a time.

        Raises:
            CatalogError, SampleError: as for an item.
        """
        _, row, rows = self._find(index)
        return record.decode(self.known, rows.bands(row))

    def key(self, index: int) -> str:
        """Return the key of an image; nothing of the corpus is read."""
        _, row, rows = self._find(index)
        return str(rows.images["key"][row].as_py())

    def _find(self, index: int) -> tuple[int, int, ShardRows]:
        """Return the number of the shard, the row in it, and the shard's rows."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        shard = int(np.searchsorted(self._ends, position, "right"))
        name = self.shard_ids[shard]
        rows = self._held.get(name, lambda: self._read(shard))
        return shard, position - int(self._ends[shard] - len(self._rows[shard])), rows

    def _read(self, shard: int) -> tuple[ShardRows, int]:
        lowest = self.selection.min_score
        rows = read_shard_rows(self.pinned, self.shard_ids[shard], self._rows[shard], lowest)
        return rows, rows.nbytes

    def _blank(self, index: int, err: MaskmillError) -> MaskSample:
        _, row, rows = self._find(index)
        key, image_id, width, height = (
            rows.images[name][row].as_py() for name in ("key", "image_id", "width", "height")
        )
        _log.warning("image %r is left blank: %s", key, err)
        return blank_sample((height, width), self.known, key, image_id, str(err))
