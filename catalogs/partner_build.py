"""Write the numbers and captions of a partner index from a filter run, in bounded memory.

One pass over the catalog copies the kept captions and notes image ids and (image, entity) pairs in scratch
files; then the ids are sorted, and the pairs are counted out into one list per entity.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..schemas.errors import CatalogError
from ..schemas.tables import CAPTIONS
from .kept_captions import kept_groups
from .partner_files import CAPTIONS_FILE, number_file

STORED = ("key", "shard_id", "caption_index", "caption", "entities", "spans")
_ID_LENGTH = 32
_NONE = 2**32 - 1  # in uint32; so many images or rows cannot be indexed
_PAIRS_AT_ONCE = 1 << 18

Ids = NDArray[np.uint64]  # (N, 2): the upper and the lower half of each id


@dataclass(frozen=True)
class Totals:
    """Numbers of images, of (image, entity) pairs and of kept captions, and the entities, sorted."""

    images: int
    entries: int
    rows: int
    entities: tuple[str, ...]


def write_index(folder: Path, files: Iterable[str]) -> Totals:
    """Write all files of an index but the manifest.

    Memory: a row group, and about 40 bytes per image while the ids are sorted. Scratch space: 20 bytes per
    image and 12 per pair.

    Args:
        folder: exists and is empty.
        files: of the table ``captions``, in an order that is the same in every build. Of samples with the
            same image id in several files the first counts.

    Raises:
        CatalogError: a file is missing or damaged, an image id is not 32 hex digits, or there is no kept
            caption or more of them than 4,294,967,295.
    """
    scratch = folder / "scratch"
    scratch.mkdir()
    with _Copy(folder, scratch) as copied:
        for file in files:
            copied.add(file)
    if not 0 < copied.rows < _NONE:
        raise CatalogError(
            f"partners need at least one kept caption and fewer than {_NONE:,}: {copied.rows:,}"
        )
    ranks = _write_images(folder, scratch, copied.rows)
    counts = _Postings(folder, scratch, ranks, len(copied.entities)).write(sorted(copied.entities.items()))
    shutil.rmtree(scratch)
    return Totals(int((ranks != _NONE).sum()), sum(counts.values()), copied.rows, tuple(counts))


class _Copy:
    """The pass over the catalog: copies kept captions, and notes ids, first rows and pairs in ``scratch``.

    Attributes:
        rows, images: how many were found, images with an id twice counted twice.
        entities: name -> number, in the order of first mention.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.rows = self.images = 0
        self.entities: dict[str, int] = {}
        self._batches, self._batches_file = [0], number_file(folder, "batches")
        self._stack = ExitStack()
        self._ids, self._firsts, self._pairs = (
            self._stack.enter_context((scratch / name).open("wb")) for name in ("ids", "firsts", "pairs")
        )
        schema = pa.schema([CAPTIONS.field(name) for name in STORED])
        self._writer = self._stack.enter_context(pa.ipc.new_file(str(folder / CAPTIONS_FILE), schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        np.array(self._batches, "<u8").tofile(self._batches_file)

    def add(self, file: str) -> None:
        """Copy what is kept of a file; an image's rows lie beside one another in one file."""
        last = np.empty((0, 2), np.uint64)
        for group in kept_groups(file):
            ids = image_ids(group["image_id"], file)
            self._note_pairs(group["entities"], self._note_images(ids, last))
            # Copied with its offsets from zero, a batch holds nothing of the rows that were filtered out.
            for batch in group.select(STORED).combine_chunks().to_batches():
                self._writer.write_batch(batch)
                self.rows += batch.num_rows
                self._batches.append(self.rows)
            last = ids[-1:]

    def _note_images(self, ids: Ids, last: Ids) -> NDArray[np.int64]:
        """Return each row's number of its image; the first row may go on with the image before."""
        before = np.concatenate([last if len(last) else ~ids[:1], ids[:-1]])
        begins = (ids != before).any(axis=1)
        numbers = self.images - 1 + np.cumsum(begins)
        ids[begins].tofile(self._ids)
        (self.rows + np.flatnonzero(begins)).astype(np.uint32).tofile(self._firsts)
        self.images = int(numbers[-1]) + 1
        return np.asarray(numbers, np.int64)

    def _note_pairs(self, entities: pa.ChunkedArray, images: NDArray[np.int64]) -> None:
        lists = entities.combine_chunks()
        coded = pc.dictionary_encode(pc.list_flatten(lists))
        known = [self.entities.setdefault(name, len(self.entities)) for name in coded.dictionary.to_pylist()]
        numbers = np.array(known, np.uint64)[coded.indices.to_numpy(zero_copy_only=False)]
        owners = images[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)].astype(np.uint64)
        np.unique(owners << np.uint64(32) | numbers).tofile(self._pairs)


class _Postings:
    """Counts pairs out into one rising list of ordinals per entity."""

    def __init__(self, folder: Path, scratch: Path, ranks: NDArray[np.uint32], entities: int) -> None:
        self._folder, self._ranks = folder, ranks
        self._pairs = _scratch_map(scratch / "pairs", np.uint64)
        self._ends = np.zeros(entities + 1, np.int64)
        for chunk in self._chunks():
            self._ends[1:] += np.bincount(_entities(chunk), minlength=entities)
        np.cumsum(self._ends, out=self._ends)
        self._lists: NDArray[np.uint32] = np.empty(0, np.uint32)
        if len(self._pairs):
            self._lists = np.memmap(scratch / "lists", np.uint32, "w+", shape=(len(self._pairs),))

    def write(self, entities: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Write ``postings`` and ``offsets`` in the order of ``entities`` (name, number).

        Returns:
            How many images each entity names, without those that name none.
        """
        ends, counts = self._fill(), {}
        with number_file(self._folder, "postings").open("wb") as file:
            for name, entity in entities:
                # A pair occurs twice where an image's captions lie in two row groups.
                found = np.unique(self._lists[self._ends[entity] : ends[entity]])
                if len(found):
                    found.astype("<u4").tofile(file)
                    counts[name] = len(found)
        offsets = np.cumsum([0, *counts.values()])
        offsets.astype("<u8").tofile(number_file(self._folder, "offsets"))
        return counts

    def _fill(self) -> NDArray[np.int64]:
        """Put every pair's image into its entity's list, and return where the lists end."""
        ends = self._ends[:-1].copy()
        for chunk in self._chunks():
            ranks = self._ranks[chunk >> np.uint64(32)]
            entities = _entities(chunk)[ranks != _NONE]
            ranks = ranks[ranks != _NONE]
            by_entity = np.argsort(entities, kind="stable")
            found, begins = np.unique(entities[by_entity], return_index=True)
            for entity, part in zip(found, np.split(ranks[by_entity], begins[1:]), strict=False):
                self._lists[ends[entity] : ends[entity] + len(part)] = part
                ends[entity] += len(part)
        return ends

    def _chunks(self) -> Iterable[NDArray[np.uint64]]:
        for at in range(0, len(self._pairs), _PAIRS_AT_ONCE):
            yield np.array(self._pairs[at : at + _PAIRS_AT_ONCE])


def image_ids(column: pa.ChunkedArray, where: str) -> Ids:
    """Return image ids as pairs of numbers, (N, 2) uint64, in the order of the texts.

    Args:
        column: texts, none of them null.
        where: named when they are no image ids.

    Raises:
        CatalogError: one is not 32 hex digits.
    """
    lengths = pc.min_max(pc.binary_length(column)).as_py()
    try:
        if lengths != {"min": _ID_LENGTH, "max": _ID_LENGTH}:
            raise ValueError("their lengths differ")
        packed = bytes.fromhex("".join(column.to_pylist()))
        return np.frombuffer(packed, ">u8").reshape(len(column), 2).astype(np.uint64)
    except ValueError as err:
        raise CatalogError(f"{where!r} holds image ids that are not {_ID_LENGTH} hex digits") from err


def _entities(pairs: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (pairs & np.uint64(_NONE)).astype(np.int64)


def _write_images(folder: Path, scratch: Path, rows: int) -> NDArray[np.uint32]:
    """Sort the images by id, and return their ordinals in the order of the catalog.

    An id that came before has no ordinal, but :data:`_NONE`.
    """
    ids = _scratch_map(scratch / "ids", np.uint64).reshape(-1, 2)
    firsts = _scratch_map(scratch / "firsts", np.uint32)
    order = np.lexsort((ids[:, 1], ids[:, 0])).astype(np.uint32)
    repeated = np.zeros(len(order), np.bool_)
    # The sort is stable, so the first of equal ids is the first in the catalog.
    repeated[1:] = _equals_before(ids[:, 0], order) & _equals_before(ids[:, 1], order)
    order = order[~repeated]
    for half, name in enumerate(("high", "low")):
        ids[:, half][order].astype("<u8").tofile(number_file(folder, name))
    firsts[order].astype("<u4").tofile(number_file(folder, "first"))
    np.append(firsts[1:], np.uint32(rows))[order].astype("<u4").tofile(number_file(folder, "last"))
    ranks = np.full(len(ids), _NONE, np.uint32)
    ranks[order] = np.arange(len(order), dtype=np.uint32)
    return ranks


def _equals_before(column: NDArray[np.uint64], order: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return for each but the first number, in this order, whether it equals the one before."""
    ordered = column[order]
    return np.asarray(ordered[1:] == ordered[:-1])


def _scratch_map(path: Path, kind: type[np.generic]) -> NDArray[Any]:
    return np.memmap(path, kind, "r") if path.stat().st_size else np.empty(0, kind)
