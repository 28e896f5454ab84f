"""Do something to a catalog as a user without rights, in a process of its own, and print what came of it."""

from __future__ import annotations

import os
import sys

from sql_catalog import error

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

NOBODY = 65534


def _attempt(what: str, uri: str) -> str:
    if what == "create":
        return Catalog.create_or_open(uri).uri
    if what == "open":
        return Catalog.open(uri).uri
    if what == "query":
        return str(query(uri, "SELECT count(*) AS n FROM runs")["n"].to_pylist())
    if what == "write":
        return write_rows(uri, "errors", "r", "0", [error("a", "empty_file")]).path
    return str(Catalog.open(uri).publish({}, "r"))


def main() -> None:
    """Take pairs of arguments, what and where; print a line for each."""
    query(sys.argv[2], "FROM runs")  # imports now what another user may not be able to read
    if os.getuid() == 0:  # no mode of a file stops root
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for what, uri in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        try:
            print(f"done: {_attempt(what, uri)}")
        except CatalogError as err:
            print(f"refused: {err}")


if __name__ == "__main__":
    main()
