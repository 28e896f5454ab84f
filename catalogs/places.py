"""What lies where a catalog is to be opened or made: a catalog, nothing, or somebody's other things."""

from __future__ import annotations

import os
from contextlib import suppress

import fsspec

from ..schemas.errors import CatalogError
from ..schemas.tables import PARTITION, TABLES
from .delta import FileTable
from .storage import is_local, join, locate, reported_as


def holds_catalog(uri: str, runs: FileTable) -> bool:
    """Return whether a catalog lies at ``uri``: whether its table ``runs`` is there.

    Raises:
        CatalogError: a file lies there, or one may not look into the folder.
    """
    with reported_as(CatalogError, f"cannot open catalog {uri!r}"):
        fs, path = locate(uri)
        fs.invalidate_cache()
        if fs.isfile(path):
            raise CatalogError(f"{uri!r} is a file; a catalog is a folder")
        there = runs.exists()
        if not there and is_local(fs):
            # What one may not look into seems to be missing as well.
            with suppress(FileNotFoundError, NotADirectoryError):
                os.scandir(path).close()
    return there


def refuse_foreign(uri: str) -> None:
    """Refuse a place that holds other things: the tables would be strewn among them.

    Raises:
        CatalogError: it does, or one may not look into it.
    """
    with reported_as(CatalogError, f"cannot look into {uri!r}"):
        fs, path = locate(uri)
        fs.invalidate_cache()
        names = _names(fs, path)
        foreign = [name for name in names if name not in TABLES and not name.startswith(".")]
        foreign += [f"{name}/{one}" for name in names if name in TABLES for one in _strangers(uri, name)]
    if foreign:
        raise CatalogError(f"{uri!r} holds {foreign[0]!r} and is no catalog; give a new or an empty folder")


def _strangers(uri: str, table: str) -> list[str]:
    """Return what lies in a folder, named like a table, that no table has: folders of photos are too."""
    names = _names(*locate(join(uri, table)))
    return [name for name in names if not name.startswith(("_delta_log", f"{PARTITION}=", "."))]


def _names(fs: fsspec.AbstractFileSystem, path: str) -> list[str]:
    entries = fs.ls(path, detail=False) if fs.isdir(path) else []
    return sorted(entry.rstrip("/").rpartition("/")[2] for entry in entries)
