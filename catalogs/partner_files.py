"""The folder of a partner index: its files, its manifest, and how a draft of it takes its place.

Fixed-width little-endian numbers, mapped into memory when they are read:

==================  =====================  =============================================================
``high``, ``low``   uint64 per image       the two halves of the image ids, sorted; the n-th is ordinal n
``first``, ``last`` uint32 per image       its half-open range of rows in ``captions.arrow``
``offsets``         uint64 per entity + 1  where its list begins in ``postings``; entities are sorted
``postings``        uint32 per entry       ordinals of the images that an entity names, rising
``batches``         uint64 per batch + 1   the first row of each record batch of ``captions.arrow``
``captions.arrow``  Arrow IPC              the kept captions, an image's beside one another
==================  =====================  =============================================================
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..schemas.errors import CatalogError
from .storage import reported_as

FORMAT = 1
MANIFEST = "manifest.json"
CAPTIONS_FILE = "captions.arrow"
NUMBERS = {
    "high": "<u8",
    "low": "<u8",
    "first": "<u4",
    "last": "<u4",
    "offsets": "<u8",
    "postings": "<u4",
    "batches": "<u8",
}


@dataclass(frozen=True)
class Manifest:
    """What an index was built of, and how large its files are.

    Args:
        key: 32 hex digits over the run and its files; equal for two builds of one run, wherever it lies.
        images, entries, rows: numbers of images, of (image, entity) pairs and of kept captions.
        sizes: bytes of each file but the manifest.
    """

    key: str
    run_id: str
    version: int
    images: int
    entries: int
    rows: int
    entities: tuple[str, ...]
    sizes: Mapping[str, int]
    format: int = FORMAT


def number_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.{NUMBERS[name][1:]}"


def mapped(folder: Path, name: str) -> NDArray[np.generic]:
    """Map a file of numbers into memory, to be read."""
    path = number_file(folder, name)
    # An empty file cannot be mapped.
    return np.memmap(path, NUMBERS[name], "r") if path.stat().st_size else np.empty(0, NUMBERS[name])


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, after everything else is on disk."""
    for name in manifest.sizes:
        _sync(folder / name)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), ensure_ascii=True), "utf-8")
    _sync(folder / MANIFEST)


def file_names() -> tuple[str, ...]:
    """Return the names of all files but the manifest."""
    return (CAPTIONS_FILE, *(number_file(Path(), name).name for name in NUMBERS))


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a whole index.

    Raises:
        CatalogError: there is none, it is damaged, or another maskmill wrote it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise CatalogError(f"no partner index in {str(folder)!r}: build one with PartnerIndex.build")
    advice = "delete the folder and build it again"
    with reported_as(CatalogError, f"the partner index in {str(folder)!r} is damaged; {advice}"):
        body = json.loads(path.read_text("utf-8"))
        if body["format"] != FORMAT:
            raise CatalogError(f"{str(path)!r} has format {body['format']}, not {FORMAT}; {advice}")
        manifest = Manifest(**{**body, "entities": tuple(body["entities"])})
        for name in file_names():
            size = (folder / name).stat().st_size
            if size != manifest.sizes[name]:
                raise ValueError(f"{name} has {size} bytes, not {manifest.sizes[name]}")
    return manifest


def built(folder: Path, key: str, write: Callable[[Path], None]) -> Manifest:
    """Return the index with this key in a folder; where there is none or a damaged one, ``write`` makes it.

    Any number of processes may build at once: each writes a draft beside the folder, and the first to finish
    moves its own into place. A process that is killed leaves its draft, ``.NAME.*.part``, behind.

    Raises:
        CatalogError: the folder holds the index of another run, or other things.
    """
    found = _usable(folder, key)
    if found is not None:
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    draft.mkdir()
    try:
        write(draft)
        return _moved(draft, folder, key)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _moved(draft: Path, folder: Path, key: str) -> Manifest:
    found = _usable(folder, key)
    if found is not None:
        return found
    old = draft.with_suffix(".old")
    with suppress(FileNotFoundError):
        folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        # Another process was faster; what it built must be the same.
        found = _usable(folder, key)
        if found is None:
            raise
        return found
    finally:
        shutil.rmtree(old, ignore_errors=True)
    return read_manifest(folder)


def _usable(folder: Path, key: str) -> Manifest | None:
    """Return the manifest of a whole index with this key, None where one may be written.

    Raises:
        CatalogError: something lies there that must not be overwritten.
    """
    if folder.is_file():
        raise CatalogError(f"{str(folder)!r} is a file; a partner index is a folder")
    with suppress(FileNotFoundError):
        _refuse_foreign(folder, [entry.name for entry in folder.iterdir()])
    try:
        manifest = read_manifest(folder)
    except CatalogError:
        return None
    if manifest.key != key:
        raise CatalogError(
            f"{str(folder)!r} holds the partner index of another state of run {manifest.run_id!r}, or of "
            "another run: give another folder, or delete it"
        )
    return manifest


def _refuse_foreign(folder: Path, names: Sequence[str]) -> None:
    foreign = sorted(set(names) - {MANIFEST, *file_names()})
    if foreign:
        raise CatalogError(f"{str(folder)!r} holds {foreign[0]!r} and is no partner index; give a new folder")


def _sync(path: Path) -> None:
    # The folder's new name must not reach the disk before its files do.
    with path.open("rb") as file:
        os.fsync(file.fileno())
