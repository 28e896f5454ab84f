"""What lies in an image folder: its images, and what is known of their captions before any is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any

import fsspec

from ...schemas.errors import ErrorReason
from ...schemas.samples import BadSample
from ..storage import fingerprint, full_uri, join
from .batches import storable_text
from .columns import Columns, image_key
from .sidecars import metadata_rows
from .tar_samples import IMAGE_EXTENSIONS

METADATA = frozenset({"metadata.jsonl", "metadata.csv"})
_SIDECARS = (".json", ".txt")
STATS = "_stats.json"  # img2dataset's, one per shard


@dataclass(frozen=True)
class Entry:
    """One image: its path below the folder, captions of the metadata, and its ``.json`` and ``.txt``."""

    path: str
    captions: tuple[str | None, ...] = ()
    sidecars: tuple[str | None, str | None] = (None, None)
    problem: BadSample | None = None

    @property
    def key(self) -> str:
        return _key(self.path)


@dataclass(frozen=True)
class FolderIndex:
    """``entries`` by path; ``digest`` is 16 hex digits over the names and states of all files that count."""

    digest: str
    entries: tuple[Entry, ...]


def read_index(fs: fsspec.AbstractFileSystem, folder: str, columns: Columns) -> FolderIndex:
    """List a folder and all below it, and read its metadata files.

    Raises:
        CorpusError: a metadata file has not the columns that are wanted.
        OSError: the store failed.
    """
    found = fs.find(folder, detail=True)
    base = folder.rstrip("/") + "/"
    files = {path.removeprefix(base): info for path, info in found.items()}
    files = {name: info for name, info in sorted(files.items()) if _counts(name)}
    described, faults = _described(fs, folder, files, columns)
    entries = [*_images(files, described), *_orphans(files), *faults]
    state = [f"{_text(name)}\0{fingerprint(info)}" for name, info in files.items()]
    digest = hashlib.sha256("\n".join([*state, columns.mark]).encode()).hexdigest()[:16]
    return FolderIndex(digest, tuple(sorted(entries, key=lambda entry: entry.path)))


def is_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower().lstrip(".") in IMAGE_EXTENSIONS


def _counts(name: str) -> bool:
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts) or name.endswith(STATS):
        return False
    return is_image(name) or path.suffix.lower() in _SIDECARS or path.name in METADATA


def _images(files: Mapping[str, Any], described: Mapping[str, tuple[str | None, ...]]) -> Iterator[Entry]:
    taken: dict[str, str] = {}
    for name in filter(is_image, files):
        stem = image_key(name)
        if stem in taken:
            detail = (
                f"another image has the key {_text(stem)!r}: {_text(taken[stem])!r}; this is {_text(name)!r}"
            )
            yield Entry(name, problem=BadSample(_key(name), ErrorReason.DUPLICATE_KEY, detail))
            continue
        taken[stem] = name
        json_name, txt_name = (stem + suffix if stem + suffix in files else None for suffix in _SIDECARS)
        yield Entry(name, described.get(name, ()), (json_name, txt_name))


def _orphans(files: Mapping[str, Any]) -> Iterator[Entry]:
    stems = {image_key(name) for name in files if is_image(name)}
    for name in files:
        path = PurePosixPath(name)
        if path.suffix.lower() in _SIDECARS and image_key(name) not in stems:
            detail = f"no image beside {_text(name)!r}"
            yield Entry(name, problem=BadSample(_key(name), ErrorReason.MISSING_IMAGE, detail))


def _described(
    fs: fsspec.AbstractFileSystem, folder: str, files: Mapping[str, Any], columns: Columns
) -> tuple[dict[str, tuple[str | None, ...]], list[Entry]]:
    """Return the captions that metadata files give to images, and what is wrong in those files."""
    captions: dict[str, tuple[str | None, ...]] = {}
    faults: dict[str, Entry] = {}
    for metadata in (name for name in files if PurePosixPath(name).name in METADATA):
        path = join(folder, metadata)
        with fs.open(path, "rb") as file:
            for row in metadata_rows(file, full_uri(fs, path), columns):
                name = normpath(join(str(PurePosixPath(metadata).parent), row.file_name))
                place = f"{_text(metadata)}:{row.line}"
                if row.fault is not None:
                    problem = BadSample(None, ErrorReason.BAD_METADATA, f"{place}: {row.fault}")
                elif name in files:
                    captions[name] = captions.get(name, ()) + row.captions
                    continue
                else:
                    detail = f"{place} names {_text(row.file_name)[:200]!r}, which is not there"
                    problem = BadSample(_key(name), ErrorReason.MISSING_IMAGE, detail)
                faults[place] = Entry(place, problem=problem)
    return captions, list(faults.values())


def _key(path: str) -> str:
    """Return a key that can be stored: bytes of a name that are no UTF-8 are written as ``\\xff``."""
    return _text(image_key(path))


def _text(name: str) -> str:
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return storable_text(name)
