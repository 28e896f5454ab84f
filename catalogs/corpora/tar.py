"""Corpora of tar shards as img2dataset and webdataset write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fsspec

from ...schemas.errors import CorpusError
from ...schemas.samples import BadSample, Sample, Shard
from ..storage import fingerprint, full_uri, locate, reported_as
from .base import has_pattern, safe_shard_id
from .tar_samples import image_members, read_tar


@dataclass(frozen=True)
class TarCorpus:
    """A folder of ``*.tar``, a pattern, or one tar; every tar is a shard.

    Args:
        limit: take whole shards until they hold this many images.
    """

    name: str
    uri: str
    limit: int | None = None

    def shards(self) -> list[Shard]:
        with reported_as(CorpusError, f"corpus {self.uri!r} cannot be listed"):
            fs, path = locate(self.uri)
            fs.invalidate_cache()
            base, found = _find(fs, path)
            if not found:
                raise CorpusError(_nothing(fs, path, self.uri))
            shards = [
                Shard(_shard_id(base, tar), full_uri(fs, tar), fingerprint(info))
                for tar, info in sorted(found.items())
            ]
            return shards if self.limit is None else self._first(fs, shards, self.limit)

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        fs, path = locate(shard.uri)
        try:
            file = fs.open(path, "rb")
        except (FileNotFoundError, PermissionError) as err:
            raise CorpusError(f"shard {shard.uri!r} has vanished or may not be read: {err}") from err
        with file:
            yield from read_tar(file)

    def _first(self, fs: fsspec.AbstractFileSystem, shards: list[Shard], limit: int) -> list[Shard]:
        taken: list[Shard] = []
        missing = limit
        for shard in shards:
            if missing <= 0:
                break
            with fs.open(locate(shard.uri)[1], "rb") as file:
                missing -= image_members(file, missing)
            taken.append(shard)
        return taken


def _find(fs: fsspec.AbstractFileSystem, path: str) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """Return the folder that shard ids are relative to, and path -> info of the tars."""
    if fs.isdir(path):
        infos = fs.ls(path, detail=True)
        return path, {info["name"]: info for info in infos if _is_tar(info)}
    if fs.exists(path):
        info = fs.info(path)
        return path.rpartition("/")[0], {info["name"]: info}
    if has_pattern(path):
        fixed = path.split("/")
        first = next(i for i, part in enumerate(fixed) if has_pattern(part))
        found = fs.glob(path, detail=True)
        return "/".join(fixed[:first]), {name: info for name, info in found.items() if _is_tar(info)}
    return path, {}


def _is_tar(info: Mapping[str, Any]) -> bool:
    return info["type"] == "file" and info["name"].lower().endswith(".tar")


def _shard_id(base: str, path: str) -> str:
    relative = path.removeprefix(base).lstrip("/")
    return safe_shard_id(relative[: -len(".tar")] if relative.lower().endswith(".tar") else relative)


def _nothing(fs: fsspec.AbstractFileSystem, path: str, uri: str) -> str:
    if fs.isdir(path):
        return (
            f"no *.tar directly in {uri!r}; name the folder that holds the shards, a pattern such as "
            f"'{uri.rstrip('/')}/*/*.tar', one .tar, or a COCO .json"
        )
    if has_pattern(path):
        return f"no tar matches {uri!r}; patterns know *, ? and [..], and ** for any folder"
    return f"no corpus at {uri!r}: there is no such file or folder"
