"""The files of a corpus: a folder's own, those that match a pattern, or one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from ...schemas.errors import CorpusError
from ..storage import fingerprint, full_uri, locate, reported_as
from .base import has_pattern, safe_shard_id
from .columns import Columns


@dataclass(frozen=True)
class CorpusFile:
    """One file: ``shard_id`` is its path below the corpus as a safe id, ``info`` what the store says."""

    uri: str
    path: str
    shard_id: str
    info: Mapping[str, Any]


def list_files(
    uri: str, suffixes: Sequence[str], cut: bool = True
) -> tuple[fsspec.AbstractFileSystem, list[CorpusFile]]:
    """Return a file system and the files of a corpus on it, by name.

    Args:
        uri: a folder (its own files with one of ``suffixes`` count), a pattern (likewise) or any one file.
        suffixes: lower-case endings with their dot; the first is named in advice.
        cut: leave the suffix out of shard ids.

    Raises:
        CorpusError: there is no such file or folder, nothing in it, or it may not be listed.
    """
    with reported_as(CorpusError, f"corpus {uri!r} cannot be listed"):
        fs, path = locate(uri)
        fs.invalidate_cache()
        base, found = _find(fs, path, tuple(suffixes))
        if not found:
            raise CorpusError(_nothing(fs, path, uri, suffixes[0]))
        files = [
            CorpusFile(full_uri(fs, name), name, _shard_id(base, name, suffixes if cut else ()), info)
            for name, info in sorted(found.items())
        ]
        return fs, files


def file_state(fs: fsspec.AbstractFileSystem, path: str, columns: Columns) -> str:
    """Return the fingerprint of a shard: the state of its file, and the columns that are taken from it.

    It can be compared with a later one; what a listing says of a file may be put otherwise.
    """
    return f"{fingerprint(fs.info(path))}{columns.mark}"


def _find(
    fs: fsspec.AbstractFileSystem, path: str, suffixes: tuple[str, ...]
) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """Return the folder that shard ids are relative to, and path -> info of the files."""
    if fs.isdir(path):
        infos = fs.ls(path, detail=True)
        return path, {info["name"]: info for info in infos if _fits(info, suffixes)}
    if fs.exists(path):
        info = fs.info(path)
        return path.rpartition("/")[0], {info["name"]: info}
    if has_pattern(path):
        fixed = path.split("/")
        first = next(i for i, part in enumerate(fixed) if has_pattern(part))
        found = fs.glob(path, detail=True)
        return "/".join(fixed[:first]), {name: info for name, info in found.items() if _fits(info, suffixes)}
    return path, {}


def _fits(info: Mapping[str, Any], suffixes: tuple[str, ...]) -> bool:
    return info["type"] == "file" and info["name"].lower().endswith(suffixes)


def _shard_id(base: str, path: str, suffixes: Sequence[str]) -> str:
    relative = path.removeprefix(base).lstrip("/")
    suffix = next((s for s in suffixes if relative.lower().endswith(s)), "")
    return safe_shard_id(relative[: len(relative) - len(suffix)])


def _nothing(fs: fsspec.AbstractFileSystem, path: str, uri: str, suffix: str) -> str:
    if fs.isdir(path):
        return (
            f"no *{suffix} directly in {uri!r}; name the folder that holds them, a pattern such as "
            f"'{uri.rstrip('/')}/*/*{suffix}', or one {suffix}"
        )
    if has_pattern(path):
        return f"no {suffix.lstrip('.')} matches {uri!r}; patterns know *, ? and [..], and ** for any folder"
    return f"no corpus at {uri!r}: there is no such file or folder"
