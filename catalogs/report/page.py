"""Set the figures and pictures in one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from . import svg
from .data import ReportData
from .found import NOTHING, Found
from .items import GalleryItem
from .page_pictures import prepare
from .reasons import CAPTIONS, ERRORS, NOUNS, explain, explained_protocols
from .thumbnails import Place, in_page

_LONGEST_TABLE = 300
_SCRIPTS = ("page.js", "theme.js", "choose.js", "keys.js", "start.js")
_STYLES = ("page.css", "pictures.css", "tables.css", "dialogs.css")


def render_page(
    data: ReportData,
    gallery: Sequence[GalleryItem] = (),
    title: str | None = None,
    found: Found = NOTHING,
    place: Place = in_page,
) -> str:
    """Return the report as HTML.

    Every word from outside is escaped, and the page's own policy lets it load nothing from elsewhere and run
    no script but the one it came with.

    Args:
        data: the figures.
        gallery: pictures, shown in this order; default: those of `found`.
        title: default: the name of the catalog.
        found: class gallery and comparison.
        place: where thumbnails go; the page's policy lets it load files only where they lie beside it.
    """
    script = "\n".join(_part(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.j2")
        .render(
            data=data,
            shown=prepare(gallery, found, place),
            beside=place is not in_page,
            title=title or catalog_name(data.uri),
            style=Markup("".join(_part(name) for name in _STYLES)),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704 - our own files
            script_hash=f"sha256-{digest}",
            longest=_LONGEST_TABLE,
        )
    )


def catalog_name(uri: str) -> str:
    """Return the last part of a catalog's URI."""
    return Path(urlsplit(uri).path).name or uri


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_part),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        num=_number,
        share=_share,
        points=_points,
        took=_took,
        pretty=_pretty,
        signed=_signed,
        short=_short,
        change=_change,
        brief=svg.brief,
    )
    environment.globals.update(
        columns=svg.columns,
        line=svg.line,
        spark=svg.spark,
        explain=explain,
        explained_protocols=explained_protocols,
        codes={"captions": CAPTIONS, "nouns": NOUNS, "errors": ERRORS},
    )
    return environment


def _number(value: float) -> str:
    return f"{value:,}"


def _share(part: float, whole: float = 1.0) -> str:
    """Percent without decimals, but never 0% or 100% for what is neither."""
    if not whole:
        return "-"
    percent = 100.0 * part / whole
    if 0 < percent < 1:
        return "<1%"
    if 99 < percent < 100:
        return ">99%"
    return f"{percent:.0f}%"


def _points(value: float | None) -> str:
    """A ratio in [0, 1] on the field's scale of 0 to 100."""
    return "-" if value is None else f"{100.0 * value:.1f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")


def _change(count: int) -> str:
    return f"{count:+,}".replace("-", "\N{MINUS SIGN}") if count else "0"


def _took(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _pretty(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _short(digest: str) -> str:
    return digest[:12]
