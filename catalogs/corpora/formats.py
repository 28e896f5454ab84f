"""Which reader a corpus needs, by its name or by what its folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import fsspec

from ...schemas.errors import CorpusError
from .folder_index import METADATA, STATS, is_image

Format = Literal["tar", "coco", "parquet", "delimited", "folder"]
_FOLDERS = 1000  # how many folders are searched for an image

_SUFFIXES: dict[Format, tuple[str, ...]] = {
    "tar": (".tar",),
    "coco": (".json",),
    "parquet": (".parquet", ".pq"),
    "delimited": (".csv", ".tsv"),
}


def find_format(fs: fsspec.AbstractFileSystem, path: str, uri: str) -> Format:
    """Return the format of a file or pattern by its suffix, of a folder by what lies in it.

    In a folder tars go first, since img2dataset leaves Parquet files beside them; then Parquet files (but not
    those that img2dataset leaves beside folders of images), the metadata of an image folder, delimited text,
    and images in it, or below it where no ``.json`` could be COCO's. What is neither a folder nor has a
    suffix is taken for tars.

    Raises:
        CorpusError: a folder holds none of these; the text says what was looked for.
    """
    for kind, suffixes in _SUFFIXES.items():
        if path.lower().endswith(suffixes):
            return kind
    if not fs.isdir(path):
        return "tar"
    found = _in_folder(fs, path)
    if found is None:
        raise CorpusError(
            f"no corpus in {uri!r}: no *.tar directly in it, nor *.parquet, metadata.jsonl or metadata.csv, "
            "*.csv or *.tsv, and no images in it, or below it without a .json (if that is COCO's, name the "
            "file); name the folder that holds the files, a pattern such as "
            f"'{uri.rstrip('/')}/*/*.tar', or one file, or give the format"
        )
    return found


def _in_folder(fs: fsspec.AbstractFileSystem, path: str) -> Format | None:
    infos = fs.ls(path, detail=True)
    files = [info["name"].rpartition("/")[2] for info in infos if info["type"] == "file"]
    folders = {info["name"].rstrip("/").rpartition("/")[2] for info in infos if info["type"] == "directory"}
    parquets = _with(files, "parquet")
    if _with(files, "tar"):
        return "tar"
    if any(name.rpartition(".")[0] not in folders for name in parquets):
        return "parquet"
    if METADATA.intersection(files):
        return "folder"
    if _with(files, "delimited"):
        return "delimited"
    if any(is_image(name) for name in files):
        return "folder"
    if any(name.lower().endswith(".json") and not name.endswith(STATS) for name in files):
        return None
    # A walk of a large tree ends with its first image.
    walk = islice(fs.walk(path), _FOLDERS)
    return "folder" if any(is_image(name) for _, _, names in walk for name in names) else None


def _with(files: Sequence[str], kind: Format) -> list[str]:
    return [name for name in files if name.lower().endswith(_SUFFIXES[kind])]
