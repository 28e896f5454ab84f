"""DuckDB's errors over the files of a catalog, in words that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from ..schemas.errors import CatalogError
from .storage import reported_as

_GONE = re.compile(r'No files found that match the pattern "([^"]*)"')
# What follows shows a statement that no person has written.
_STATEMENT = "\n\nLINE "


@contextmanager
def sql_reported(what: str) -> Iterator[None]:
    """Turn whatever is raised over statements of maskmill's own into CatalogError, ``what: reason``.

    A file that is gone is named, with what may have become of it.
    """
    with reported_as(CatalogError, what):
        try:
            yield
        except duckdb.Error as err:
            raise duckdb.Error(_reason(str(err))) from err


def _reason(text: str) -> str:
    gone = _GONE.search(text)
    if gone is None:
        return text.partition(_STATEMENT)[0]
    return (
        f"{gone[1]!r} is gone: the version was vacuumed, or the file was lost; "
        "`maskmill catalog verify` tells what else is missing"
    )
