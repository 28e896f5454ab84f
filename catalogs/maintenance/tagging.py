"""Setting, moving, removing and listing the names of catalog versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...schemas.errors import CatalogError
from ..store import Catalog
from ..tags import read_tag, read_tags, remove_tag, write_tag
from .state import read_logs, shown, stored_files


@dataclass(frozen=True)
class Tagging:
    """A name of a version.

    Args:
        before: the version that the name stood for until now; None if it is new.
    """

    name: str
    version: int
    before: int | None = None

    def fields(self) -> dict[str, Any]:
        """Return name -> value."""
        return dict(vars(self))


def tag(uri: str, name: str, version: int | str | None = None, force: bool = False) -> Tagging:
    """Give a catalog version a name, under which it can be read everywhere and which `vacuum` respects.

    The same again changes nothing.

    Args:
        version: a version or another tag; default: the newest.
        force: move a name that stands for another version, which is refused otherwise.

    Raises:
        CatalogError: no such version, the name is taken or is none, or the version was vacuumed.
    """
    catalog = Catalog.open(uri)
    number = catalog.resolve(version)
    before = read_tag(catalog.uri, name)
    write_tag(catalog.uri, name, number, force)
    # Looked at last: a vacuum that begins after this sees the tag, and one that is at work may not have.
    lost = _lost(catalog, number)
    if lost:
        if before is None:
            remove_tag(catalog.uri, name)
        else:
            write_tag(catalog.uri, name, before, force=True)
        raise CatalogError(f"version {number} of {catalog.uri!r} lacks {lost}: it was vacuumed; tag another")
    return Tagging(name, number, before)


def untag(uri: str, name: str) -> Tagging:
    """Remove a name; the version stays until a vacuum finds it old.

    Raises:
        CatalogError: no catalog, or no such tag.
    """
    catalog = Catalog.open(uri)
    return Tagging(name, remove_tag(catalog.uri, name))


def tags(uri: str) -> list[Tagging]:
    """Return the names of versions, by version and name.

    Raises:
        CatalogError: no catalog.
    """
    return [Tagging(name, version) for name, version in read_tags(Catalog.open(uri).uri).items()]


def _lost(catalog: Catalog, version: int) -> str | None:
    """Return the path of a file that a version shows and that is gone."""
    for table, files in shown(read_logs(catalog), catalog.snapshot(version)).items():
        gone = files.keys() - stored_files(catalog, table).keys() if files else set()
        if gone:
            return f"{table}/{min(gone)}"
    return None
