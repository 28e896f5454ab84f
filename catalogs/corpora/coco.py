"""Corpora in COCO JSON: a list of images with captions, and an image folder."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa

from ...schemas.errors import CorpusError, ErrorReason
from ...schemas.samples import BadSample, Sample, Shard
from ..storage import fingerprint, join, locate, reported_as
from .base import captions_in
from .batches import CaptionRow, in_batches, stated_size, storable_text
from .image_files import image_folder, load_file, measured


@dataclass(frozen=True)
class CocoCorpus:
    """The images of a COCO JSON, sorted by file name and cut into shards of ``shard_size``.

    Captions are the ``captions`` (or ``caption``) of an image's entry, else those of the annotations of the
    image, as in ``captions_val2017.json``. The key is the file name without its extension.

    Args:
        images: folder of the file names; None for ``images`` beside the JSON, or the JSON's own folder.
        limit: take no more images than this.
    """

    name: str
    uri: str
    images: str | None = None
    shard_size: int = 1000
    limit: int | None = None

    def shards(self) -> list[Shard]:
        index = self._index()
        if self.images is not None:
            image_folder(self.uri, self.images)
        count = len(index.entries) if self.limit is None else min(self.limit, len(index.entries))
        starts = range(0, count, self.shard_size)
        stops = [min(start + self.shard_size, count) for start in starts]
        return [
            Shard(f"{number:05d}", self.uri, f"{index.digest}-{start}-{stop}", start, stop)
            for number, (start, stop) in enumerate(zip(starts, stops, strict=True))
        ]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        entries = self._entries(shard)
        fs, folder = image_folder(self.uri, self.images)
        for entry in entries:
            yield entry.problem or _load_image(entry, fs, folder)

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        entries = self._entries(shard)
        place = image_folder(self.uri, self.images) if content else None
        return in_batches(entry.problem or _caption_row(entry, place) for entry in entries)

    def _entries(self, shard: Shard) -> Sequence[_Entry]:
        index = self._index()
        if not shard.fingerprint.startswith(index.digest):
            raise CorpusError(f"{self.uri!r} has changed since the run was planned; start the run again")
        return index.entries[shard.first : shard.last]

    def _index(self) -> _Index:
        with reported_as(CorpusError, f"corpus {self.uri!r} cannot be read"):
            fs, path = locate(self.uri)
            return _read_index(self.uri, fingerprint(fs.info(path)))


@dataclass(frozen=True)
class _Entry:
    file_name: str
    captions: tuple[str | None, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problem: BadSample | None = None

    @property
    def key(self) -> str:
        return str(PurePosixPath(self.file_name).with_suffix(""))


@dataclass(frozen=True)
class _Index:
    """``digest`` is the sha256 of the JSON, shortened to 16 hex digits."""

    digest: str
    entries: tuple[_Entry, ...]


@lru_cache(maxsize=2)
def _read_index(uri: str, _stamp: str) -> _Index:
    """Read a JSON once per process and state; every shard of a worker needs it."""
    fs, path = locate(uri)
    data = fs.cat_file(path)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise CorpusError(f"{uri!r} is not JSON: {err}") from err
    images = body.get("images") if isinstance(body, dict) else None
    if not isinstance(images, list) or not images:
        raise CorpusError(f"{uri!r} is no COCO JSON: it has no list 'images' with at least one entry")
    spoken = _annotated_captions(body.get("annotations"))
    entries = sorted((_entry(image, spoken) for image in images), key=lambda entry: entry.file_name)
    return _Index(hashlib.sha256(data).hexdigest()[:16], tuple(_without_duplicates(entries)))


def _annotated_captions(annotations: object) -> dict[object, list[str]]:
    captions: dict[object, list[str]] = defaultdict(list)
    for annotation in annotations if isinstance(annotations, list) else ():
        if isinstance(annotation, dict) and isinstance(annotation.get("caption"), str):
            captions[str(annotation.get("image_id"))].append(annotation["caption"])
    return captions


def _entry(image: object, spoken: Mapping[object, list[str]]) -> _Entry:
    file_name = image.get("file_name") if isinstance(image, dict) else None
    if not isinstance(image, dict) or not isinstance(file_name, str) or not PurePosixPath(file_name).name:
        return _bad("", None, f"entry without a file_name: {str(image)[:80]}")
    if storable_text(file_name) != file_name:
        return _bad("", None, f"file_name is no text that can be stored: {file_name[:80]!a}")
    path = PurePosixPath(file_name)
    if path.is_absolute() or ".." in path.parts:
        return _bad(
            file_name, file_name, "file_name must lie below the image folder; give it relative to that"
        )
    try:
        captions = captions_in(image) or tuple(spoken.get(str(image.get("id")), ()))
    except ValueError as err:
        return _bad(file_name, str(path.with_suffix("")), str(err))
    return _Entry(file_name, captions, {name: v for name, v in image.items() if name != "captions"})


def _bad(file_name: str, key: str | None, detail: str) -> _Entry:
    return _Entry(file_name, problem=BadSample(key, ErrorReason.BAD_METADATA, detail))


def _without_duplicates(entries: list[_Entry]) -> Iterator[_Entry]:
    seen: set[str] = set()
    for entry in entries:
        if entry.problem is None and entry.key in seen:
            detail = f"another image has the key {entry.key!r}; this one is {entry.file_name!r}"
            yield _Entry(entry.file_name, problem=BadSample(entry.key, ErrorReason.DUPLICATE_KEY, detail))
            continue
        if entry.problem is None:
            seen.add(entry.key)
        yield entry


def _load_image(entry: _Entry, fs: fsspec.AbstractFileSystem, folder: str) -> Sample | BadSample:
    data = load_file(entry.key, fs, join(folder, entry.file_name))
    if isinstance(data, BadSample):
        return data
    return Sample(entry.key, data, entry.captions, entry.metadata)


def _caption_row(entry: _Entry, place: tuple[fsspec.AbstractFileSystem, str] | None) -> CaptionRow:
    """Return what the image says of itself, else what the JSON says; without a place no image is opened."""
    stated = [stated_size(entry.metadata.get(name)) for name in ("width", "height")]
    sample = _load_image(entry, *place) if place else None
    if not isinstance(sample, Sample):
        return CaptionRow(entry.key, entry.captions, None, *stated)
    digest, *sizes = measured(sample.image)
    return CaptionRow(entry.key, entry.captions, digest, *(sizes if all(sizes) else stated))
