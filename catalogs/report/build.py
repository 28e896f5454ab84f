"""The report of a catalog version as one file, or as a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...schemas.errors import ConfigError
from .figures import gather
from .found import NOTHING, Found
from .items import GalleryItem
from .page import render_page
from .thumbnails import Beside, in_page

_PAGE = (".html", ".htm")
_INDEX = "index.html"


def build_report(
    uri: str,
    out: Path,
    *,
    version: int | None = None,
    gallery: Sequence[GalleryItem] = (),
    found: Found = NOTHING,
    title: str | None = None,
) -> Path:
    """Write the report of a catalog version; the same version and pictures give the same bytes.

    Args:
        uri: the catalog.
        out: an HTML file (``.html``, ``.htm``) that holds everything, or a folder that gets ``index.html``
            with the thumbnails as files beside it. Missing folders are made, an existing page is replaced at
            once.
        version: default: the newest.
        gallery: pictures, shown in this order; default: those of `found`.
        found: class gallery and comparison of runs, see `find_pictures`.
        title: default: the name of the catalog.

    Returns:
        The HTML file.

    Raises:
        CatalogError: no catalog at `uri`, or no such version.
        ConfigError: `out` cannot be written.
    """
    beside = None if out.suffix.lower() in _PAGE else Beside()
    page = out if beside is None else out / _INDEX
    html = render_page(gather(uri, version), gallery, title, found, beside or in_page)
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        if beside is not None:
            _write_pictures(out / beside.folder, beside.files)
        _replace(page, html.encode())
        if beside is not None:
            _remove_others(out / beside.folder, beside.files)
    except OSError as err:
        raise ConfigError(f"report {str(out)!r} cannot be written: {err}") from err
    return page


def _write_pictures(folder: Path, files: dict[str, bytes]) -> None:
    """Write what is not there yet: a name is a digest of its content."""
    folder.mkdir(exist_ok=True)
    for name, body in files.items():
        if not (folder / name).is_file():
            _replace(folder / name, body)


def _remove_others(folder: Path, files: dict[str, bytes]) -> None:
    """Remove the thumbnails of an earlier page, and nothing that has another kind of name."""
    for path in folder.glob("[0-9a-f]" * 20 + ".webp"):
        if path.name not in files:
            path.unlink()


def _replace(path: Path, body: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(body)
    temporary.replace(path)
