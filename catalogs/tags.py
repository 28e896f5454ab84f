"""Names for catalog versions, which never move by accident: small objects in the folder ``.tags``."""

from __future__ import annotations

import json
import os
import re
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ..schemas.errors import CatalogError
from .storage import is_local, join, locate, put_file, reported_as

_FOLDER = ".tags"
_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def read_tags(uri: str) -> dict[str, int]:
    """Return name -> version of all tags of a catalog, by version and name.

    Raises:
        CatalogError: the store refuses, or a tag is damaged.
    """
    with reported_as(CatalogError, f"cannot list the tags of {uri!r}"):
        fs, path = locate(join(uri, _FOLDER))
        fs.invalidate_cache()
        names = [PurePosixPath(file) for file in fs.ls(path, detail=False)] if fs.isdir(path) else []
    stems = [name.stem for name in names if name.suffix == ".json" and not name.name.startswith(".")]
    tags = {name: version for name in stems if (version := read_tag(uri, name)) is not None}
    return dict(sorted(tags.items(), key=lambda item: (item[1], item[0])))


def read_tag(uri: str, name: str) -> int | None:
    """Return the version that a tag names, None if there is no such tag.

    Raises:
        CatalogError: the store refuses, or the tag is damaged.
    """
    if not _NAME.fullmatch(name):
        return None
    file = _uri(uri, name)
    with reported_as(CatalogError, f"cannot read tag {name!r} of {uri!r}"):
        fs, path = locate(file)
        try:
            return int(json.loads(fs.cat_file(path))["version"])
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as err:
            raise CatalogError(
                f"cannot read tag {name!r}: remove {file!r}, which is damaged, and give the tag again"
            ) from err


def resolved(uri: str, version: int | str | None, newest: int) -> int:
    """Return the catalog version that a number or a tag names; None is the newest.

    Raises:
        CatalogError: there is no such version or tag.
    """
    number = int(version) if isinstance(version, str) and version.isdecimal() else version
    if isinstance(number, str):
        tagged = read_tag(uri, number)
        if tagged is None:
            raise _no_such_tag(uri, number)
        number = tagged
    if number is not None and not 1 <= number <= newest:
        raise CatalogError(f"catalog {uri!r} has no version {number}, only 1 to {newest}")
    return newest if number is None else number


def write_tag(uri: str, name: str, version: int, force: bool = False) -> None:
    """Let a name stand for a version; of several that set it at once, one wins and the others are refused.

    Args:
        force: move a tag that stands for another version.

    Raises:
        CatalogError: the name is no name or is taken, or the store refuses.
    """
    if not _NAME.fullmatch(name):
        raise CatalogError(f"tag {name!r} must be letters, digits and . _ -, at most 100, and no mere number")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    body = json.dumps({"version": version, "tagged_at": at}).encode()
    with reported_as(CatalogError, f"cannot write tag {name!r} of {uri!r}"):
        if force:
            put_file(_uri(uri, name), body)
            return
        try:
            _put_new(_uri(uri, name), body)
        except FileExistsError as err:
            taken = read_tag(uri, name)
            if taken != version:
                raise CatalogError(
                    f"tag {name!r} stands for version {taken}; move it with force, or choose another name"
                ) from err


def remove_tag(uri: str, name: str) -> int:
    """Remove a tag; return the version that it stood for.

    Raises:
        CatalogError: there is no such tag, or the store refuses.
    """
    version = read_tag(uri, name)
    if version is None:
        raise _no_such_tag(uri, name)
    with reported_as(CatalogError, f"cannot remove tag {name!r} of {uri!r}"):
        fs, path = locate(_uri(uri, name))
        with suppress(FileNotFoundError):
            fs.rm_file(path)
    return version


def _no_such_tag(uri: str, name: str) -> CatalogError:
    there = ", ".join(read_tags(uri)) or "none"
    return CatalogError(f"catalog {uri!r} has no version or tag {name!r}; tags are: {there}")


def _put_new(uri: str, body: bytes) -> None:
    """Write a file that appears whole, unless one is there, which is a FileExistsError."""
    fs, path = locate(uri)
    if not is_local(fs):
        fs.pipe_file(path, body, mode="create")
        return
    target = Path(path)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    put_file(str(draft), body)
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(draft, target)
    finally:
        draft.unlink()


def _uri(uri: str, name: str) -> str:
    return join(uri, _FOLDER, f"{name}.json")
