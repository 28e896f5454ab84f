"""The report of a catalog version as a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...schemas.errors import ConfigError
from .figures import gather
from .items import GalleryItem
from .page import render_page


def build_report(
    uri: str,
    out: Path,
    *,
    version: int | None = None,
    gallery: Sequence[GalleryItem] = (),
    title: str | None = None,
) -> Path:
    """Write the report of a catalog version; the same version and gallery give the same bytes.

    Args:
        uri: the catalog.
        out: the HTML file; missing folders are made, an existing file is replaced at once.
        version: default: the newest.
        gallery: pictures, shown in this order.
        title: default: the name of the catalog.

    Returns:
        `out`.

    Raises:
        CatalogError: no catalog at `uri`, or no such version.
        ConfigError: `out` cannot be written.
    """
    page = render_page(gather(uri, version), gallery, title)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, "utf-8")
        temporary.replace(out)
    except OSError as err:
        raise ConfigError(f"report {str(out)!r} cannot be written: {err}") from err
    return out
