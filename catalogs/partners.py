"""Other images that share an entity with a given one, drawn at random without the corpus in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..schemas.errors import CatalogError
from ..schemas.tables import PARTITION
from .kept_captions import caption_files, draw, draw_caption
from .partner_build import STORED, write_index
from .partner_files import (
    CAPTIONS_FILE,
    FORMAT,
    Manifest,
    built,
    file_names,
    mapped,
    read_manifest,
    write_manifest,
)
from .storage import reported_as
from .store import Catalog
from .triplets import Triplet, triplets_of


class PartnerIndex:
    """The images of a filter run by entity, in files that are mapped into memory.

    For an image and one of its entities it draws another image with a kept caption that names the entity, as
    cross-image mask consistency needs (OVSegmentor, Xu et al. 2023, section 3.2). On disk are 24 bytes per
    image, 4 bytes per (image, entity) pair and a copy of the kept captions; in memory is what was looked at,
    and the system may drop it at any time. An index can be pickled, and any number of processes may read it.

    Args:
        folder: where :meth:`build` wrote it.

    Attributes:
        run_id, version: the filter run, and the catalog version that it was built from.
        entities: all that a kept caption names, sorted.

    Raises:
        CatalogError: there is no index, or a damaged one.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()
        manifest = read_manifest(self.folder)
        self.run_id, self.version, self.entities = manifest.run_id, manifest.version, manifest.entities
        self._numbers = {entity: i for i, entity in enumerate(self.entities)}
        self._high, self._low, self._first, self._last, self._offsets, self._postings, self._batches = (
            mapped(self.folder, name)
            for name in ("high", "low", "first", "last", "offsets", "postings", "batches")
        )
        with reported_as(CatalogError, f"the partner index in {str(self.folder)!r} is damaged"):
            self._captions = pa.ipc.open_file(pa.memory_map(str(self.folder / CAPTIONS_FILE)))

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Open an index; the same as the class itself."""
        return cls(folder)

    @classmethod
    def build(cls, uri: str, version: int | None, run_id: str | None, folder: Path | str) -> Self:
        """Open the index of a run, after building it where the folder holds none or a damaged one.

        Several processes may build the same index at once.

        Args:
            uri: the catalog.
            version: catalog version; None takes the newest.
            run_id: filter run; None takes the newest finished one in the version.
            folder: a new, local one; the index is the whole folder.

        Raises:
            CatalogError: no such run, it kept no caption, or the folder holds something else.
        """
        catalog = Catalog.open(uri)
        pinned = catalog.version() if version is None else version
        run = catalog.newest_run("filter", pinned, run_id)
        files = caption_files(catalog, pinned, run[PARTITION])
        key = _content_key(run, files)
        built(Path(folder).absolute(), key, partial(write_partners, run[PARTITION], pinned, key, files))
        return cls(folder)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._high)

    def __contains__(self, image_id: str) -> bool:
        return self._find(image_id) is not None

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.folder,)

    def count(self, entity: str) -> int:
        """Return how many images have a kept caption that names ``entity``."""
        return len(self._list(entity))

    def images(self, entity: str) -> list[str]:
        """Return the ids of these images, sorted."""
        return [self._image_id(ordinal) for ordinal in self._list(entity)]

    def partner(
        self, image_id: str, entity: str, seed: int = 0, epoch: int = 0, which: int = 0
    ) -> str | None:
        """Return another image that shares ``entity``, uniform over all of them; None where there is none.

        The answer depends on the arguments and on the run alone, not on how its files are cut.

        Args:
            which: number of the draw, where an image needs several partners; they may be equal.

        Raises:
            CatalogError: the image has no kept caption that names the entity.
        """
        ordinal, others = self._find(image_id), self._list(entity)
        own = 0 if ordinal is None else int(np.searchsorted(others, np.uint32(ordinal)))
        if ordinal is None or own == len(others) or others[own] != ordinal:
            raise CatalogError(
                f"image {image_id!r} has no kept caption with {entity!r} in run {self.run_id!r}"
            )
        if len(others) == 1:
            return None
        drawn = draw(len(others) - 1, "partner", seed, epoch, image_id, entity, which)
        return self._image_id(others[drawn + (drawn >= own)])

    def fetch(self, image_id: str, entity: str | None = None, seed: int = 0, epoch: int = 0) -> Triplet:
        """Return an image's triplet: where it lies in the corpus, and one of its kept captions.

        Args:
            entity: draw among the captions that name it; by default among all, which gives the triplet of
                :class:`~maskmill.catalogs.triplets.TripletStream` with the same seed and epoch.

        Raises:
            CatalogError: the image has no such caption.
        """
        ordinal = self._find(image_id)
        rows = (
            []
            if ordinal is None
            else self._rows(int(self._first[ordinal]), int(self._last[ordinal]), image_id)
        )
        found = {row.caption_index: row for row in rows if entity is None or entity in row.entities}
        if not found:
            named = f" with {entity!r}" if entity is not None else ""
            raise CatalogError(f"image {image_id!r} has no kept caption{named} in run {self.run_id!r}")
        return found[draw_caption(list(found), image_id, seed, epoch)]

    def _find(self, image_id: str) -> int | None:
        """Return the ordinal of an image, None where there is none."""
        try:
            packed = bytes.fromhex(image_id)
        except ValueError:
            return None
        if len(packed) != 16:
            return None
        high, low = (np.uint64(int.from_bytes(half, "big")) for half in (packed[:8], packed[8:]))
        begin, end = (int(np.searchsorted(self._high, high, side)) for side in ("left", "right"))
        ordinal = begin + int(np.searchsorted(self._low[begin:end], low))
        return ordinal if ordinal < end and self._low[ordinal] == low else None

    def _image_id(self, ordinal: int) -> str:
        return f"{int(self._high[ordinal]):016x}{int(self._low[ordinal]):016x}"

    def _list(self, entity: str) -> NDArray[Any]:
        number = self._numbers.get(entity)
        if number is None:
            return np.empty(0, np.uint32)
        return self._postings[int(self._offsets[number]) : int(self._offsets[number + 1])]

    def _rows(self, first: int, last: int, image_id: str) -> list[Triplet]:
        rows: list[Triplet] = []
        while first < last:
            number = int(np.searchsorted(self._batches, np.uint64(first), "right")) - 1
            begin, end = int(self._batches[number]), min(last, int(self._batches[number + 1]))
            batch = self._captions.get_batch(number).slice(first - begin, end - first)
            ids = pa.repeat(pa.scalar(image_id), batch.num_rows)
            rows += triplets_of(pa.table([ids, *batch.columns], ["image_id", *STORED]))
            first = end
        return rows


def _content_key(run: dict[str, Any], files: Sequence[str]) -> str:
    """Return 32 hex digits that are equal for two states of a run only where its captions are.

    Where the catalog lies does not count, so that a copy of it has the same index.
    """
    names = [PurePosixPath(file).name for file in files]
    body = [FORMAT, run[PARTITION], run["config_hash"], run["finished_at"].isoformat(), names]
    return hashlib.blake2b(json.dumps(body).encode(), digest_size=16).hexdigest()


def write_partners(run_id: str, version: int, key: str, files: Sequence[str], folder: Path) -> None:
    """Write a whole index into an empty folder; see :class:`~.partner_files.Manifest` for the arguments.

    Raises:
        CatalogError: as :func:`~.partner_build.write_index`.
    """
    totals = write_index(folder, files)
    sizes = {name: (folder / name).stat().st_size for name in file_names()}
    counts = {"images": totals.images, "entries": totals.entries, "rows": totals.rows}
    write_manifest(folder, Manifest(key, run_id, version, **counts, entities=totals.entities, sizes=sizes))
