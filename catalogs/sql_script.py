"""A catalog version for people who have only the ``duckdb`` program: a script of its views."""

from __future__ import annotations

from .sql_functions import SQL_FUNCTIONS
from .sql_tables import PinnedTables, quoted_name
from .views import MACROS

_READING = """\
-- Catalog {uri}, version {version}, for the duckdb program: duckdb -init script.sql
-- The views name the files of this version one by one; what is committed later does not show.
-- Left out, because Python computes them: {left_out}.
"""
_REMOTE = """\
-- The files lie on an object store, which DuckDB needs an extension for, and perhaps a secret; on S3:
-- INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);
"""


def sql_script(uri: str, version: int | str | None = None) -> str:
    """Return statements that make the views and macros of `query.connect` in any DuckDB database.

    They can be run again, and replace what they made. The functions that Python computes are left out, and a
    comment names them.

    Args:
        uri: folder or object-store prefix of the catalog; the files are named by absolute paths.
        version: catalog version or tag; default: the newest.

    Raises:
        CatalogError: no catalog, nothing published, or no such version.
    """
    tables = PinnedTables.of(uri, version)
    left_out = ", ".join(f.name for f in SQL_FUNCTIONS)
    head = _READING.format(uri=tables.uri, version=tables.version, left_out=left_out)
    statements = ["SET TimeZone = 'UTC';"]
    for name, statement in tables.selects().items():
        statements.append(f"CREATE OR REPLACE VIEW {quoted_name(name)} AS {statement.strip()};")
    statements += [f"CREATE OR REPLACE MACRO {name} AS {body.strip()};" for name, body in MACROS.items()]
    return head + (_REMOTE if "://" in tables.uri else "") + "\n" + "\n\n".join(statements) + "\n"
