"""Local folders and object stores behind one pair: an fsspec file system and a path on it."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from ..schemas.errors import CatalogError, MaskmillError

_LONGEST = 400
# Delta tables decode %xx, DuckDB takes * and ? for any characters, and fsspec takes :: for two addresses.
_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[*?\\\x00-\x1f]|::")
_SCHEMES = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "abfss://")
_DECORATION = re.compile("\x1b\\[[0-9;]*m|↳")  # colours and arrows in the errors of deltalake
_PACKAGES = {"s3": "maskmill[s3]", "s3a": "maskmill[s3]", "gs": "maskmill[gcs]", "gcs": "maskmill[gcs]"}


def locate(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system that serves ``uri`` and the path on it; local paths come back absolute.

    Raises:
        ValueError: nothing serves such a URI.
        ImportError: the package for this kind of store is not installed; the text names it.
    """
    try:
        fs, path = url_to_fs(uri)
    except ImportError as err:
        scheme = uri.partition("://")[0]
        package = _PACKAGES.get(scheme, f"the fsspec package for {scheme}://")
        raise ImportError(f"{uri!r} needs {package}: pip install {package!r}") from err
    return fs, path


def is_local(fs: fsspec.AbstractFileSystem) -> bool:
    return isinstance(fs, LocalFileSystem)


def read_bytes(fs: fsspec.AbstractFileSystem, path: str, begin: int = 0, end: int | None = None) -> bytes:
    """Return a file's bytes from ``begin`` to before ``end``; to the end of the file where that comes first.

    A file of this machine is read as it is: fsspec's way to it takes longer than reading an image.

    Raises:
        OSError: what the store says.
    """
    if not is_local(fs):
        return bytes(fs.cat_file(path, start=begin, end=end))
    with Path(path).open("rb") as file:
        file.seek(begin)
        return file.read() if end is None else file.read(end - begin)


def full_uri(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """Return what other processes can open: an absolute local path, or scheme and path."""
    return path if is_local(fs) else str(fs.unstrip_protocol(path))


def catalog_uri(uri: str) -> str:
    """Return a catalog's URI in the form in which every process understands it.

    Raises:
        CatalogError: it is neither a local folder nor on an object store that Delta tables can live on, or
            one of the libraries would take its path for another.
    """
    if "://" in uri and not uri.startswith(("file://", *_SCHEMES)):
        known = ", ".join(_SCHEMES)
        raise CatalogError(f"a catalog cannot lie at {uri!r}: give a local folder or one of {known}")
    _refuse_misread(uri)
    with reported_as(CatalogError, f"cannot open catalog {uri!r}"):
        fs, path = locate(uri)
        full = str(Path(path).resolve()) if is_local(fs) else full_uri(fs, path).rstrip("/")
    _refuse_misread(full)
    return full


def _refuse_misread(uri: str) -> None:
    if not uri.strip():
        raise CatalogError("a catalog needs a place: give its folder or object-store prefix")
    if _MISREAD.search(uri):
        raise CatalogError(
            f"a catalog cannot lie at {uri!r}: choose a path without \\, *, ?, ::, %xx or control characters"
        )


def join(uri: str, *parts: str) -> str:
    return "/".join([uri.rstrip("/"), *parts])


def fingerprint(info: Mapping[str, Any]) -> str:
    """Return what tells one state of a file from the next: size and etag, or size and modification time."""
    for field in (
        "ETag",
        "etag",
        "md5Hash",
        "content_md5",
        "mtime",
        "LastModified",
        "last_modified",
        "created",
    ):
        if info.get(field) is not None:
            return f"{info.get('size')}-{str(info[field]).strip(chr(34))}"
    return str(info.get("size"))


def put_file(uri: str, data: bytes) -> None:
    """Write a file that appears whole or not at all; an existing one is replaced.

    Locally a draft is written beside it and moved into place, which leaves nothing behind on failure; an
    object store gets one upload, which is atomic there.

    Raises:
        OSError: the store refuses, or is full.
    """
    fs, path = locate(uri)
    if not is_local(fs):
        fs.pipe_file(path, data)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            # A commit may name this file right after; its content must be on disk before its name is.
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def reported_as(error: type[MaskmillError], what: str) -> Iterator[None]:
    """Turn whatever a store raises into ``error`` with the text ``what: reason``."""
    try:
        yield
    except MaskmillError:
        raise
    except PermissionError as err:
        raise error(f"{what}: no permission ({one_line(err)}); check who may read and write there") from err
    except Exception as err:  # each backend has types of its own
        raise error(f"{what}: {one_line(err)}") from err


def one_line(err: BaseException) -> str:
    """Return an exception's text in one line of bearable length, or its type where it has none."""
    text = " ".join(_DECORATION.sub(" ", str(err)).split())
    text = text or type(err).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
