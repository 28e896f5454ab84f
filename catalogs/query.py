"""A catalog version in DuckDB, with views and functions, and read-only SQL over it; no extension needed."""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import fsspec
import pyarrow as pa

from ..schemas.errors import CatalogError
from .sql_errors import sql_reported
from .sql_functions import add_functions
from .sql_tables import PinnedTables, quoted
from .storage import is_local, join, locate
from .store import Catalog

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)
_PYTHON_RAISED = re.compile(r".*UDF: CatalogError: (.*)")


def connect(uri: str, version: int | str | None = None) -> duckdb.DuckDBPyConnection:
    """Open a catalog version in an in-memory DuckDB.

    There is a view for every table, with its ``run_id``, one for each of `views.VIEWS` and the two that they
    read, and the functions ``bbox_iou``, ``rle_area``, ``rle_iou`` and ``rle_decode`` of `sql_functions`.
    The views name their files one by one: what is committed later does not show. Close the connection, or use
    it in a ``with``.

    Args:
        uri: folder or object-store prefix of the catalog.
        version: catalog version or tag; default: the newest.

    Raises:
        CatalogError: no catalog, nothing published, no such version, or a file of it is gone or damaged.
    """
    tables = PinnedTables.of(uri, version)
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    with sql_reported(f"cannot query {tables.uri!r}"):
        fs, _ = locate(tables.uri)
        if not is_local(fs):
            _remember_listings(fs, tables.files)
            connection.register_filesystem(fs)
        connection.execute("SET TimeZone = 'UTC'")
        # The files of a version never change, and a large catalog has thousands of footers.
        connection.execute("SET parquet_metadata_cache = true")
        for name, statement in tables.selects().items():
            connection.execute(f'CREATE VIEW "{name}" AS {statement}')
        add_functions(connection)
    return connection


def query(uri: str, sql: str, version: int | str | None = None) -> pa.Table:
    """Answer one SELECT, WITH, VALUES, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN over a catalog version.

    The statement sees the catalog's files and no other, writes none, and cannot change DuckDB's settings.

    Raises:
        CatalogError: as `connect`; another kind of statement, or several; DuckDB's own words on a bad one.
    """
    with connect(uri, version) as connection:
        try:
            sql.encode()
            explained = _checked(connection, sql)
            _lock(connection, Catalog(uri).uri)
            _refuse_copies(connection, explained)
            return connection.sql(sql).to_arrow_table()
        except UnicodeEncodeError as err:
            raise CatalogError(f"the statement is no Unicode text: {err}") from err
        except duckdb.Error as err:
            raise CatalogError(_said(err)) from err


def _said(err: duckdb.Error) -> str:
    """Return DuckDB's text, or of an error in a function of Python that function's own."""
    raised = _PYTHON_RAISED.match(str(err))
    return raised[1] if raised else str(err)


def _remember_listings(fs: fsspec.AbstractFileSystem, files: Mapping[str, Sequence[str]]) -> None:
    """List each run's folder once; DuckDB asks several times for every file, each a request otherwise."""
    for folder in sorted({uri.rpartition("/")[0] for uris in files.values() for uri in uris}):
        fs.ls(folder)


def _checked(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Refuse all but one statement that reads; return it, or what it explains."""
    kinds = [statement.type for statement in connection.extract_statements(sql)]
    if kinds == [duckdb.StatementType.EXPLAIN]:
        # EXPLAIN ANALYZE runs what it explains, which may be a COPY.
        explain = _EXPLAIN.match(sql)
        if explain is None:
            raise CatalogError("let EXPLAIN be the first word of the statement")
        sql = sql[explain.end() :]
        kinds = [statement.type for statement in connection.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        given = " and ".join(kind.name for kind in kinds) or "nothing"
        raise CatalogError(f"give one statement that reads, such as a SELECT; this is {given}")
    return sql


def _refuse_copies(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse a SELECT that holds a COPY in its WITH, which could write wherever it may read.

    DuckDB takes one at the top level alone, so that no function or text can bring it in unseen.
    """
    if "copy" in sql.lower():
        planned = connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        if any("COPY" in name for _, plan in planned for name in _operators(json.loads(plan))):
            raise CatalogError("give one statement that reads, such as a SELECT; this holds a COPY")


def _operators(plan: Any) -> Iterator[str]:
    for node in plan:
        yield node["name"]
        yield from _operators(node["children"])


def _lock(connection: duckdb.DuckDBPyConnection, uri: str) -> None:
    # It may be read and written to. By default it lies in the working folder, under a name that others use.
    spill = join(tempfile.gettempdir(), f"maskmill-{uuid.uuid4().hex}")
    connection.execute(f"SET temp_directory = {quoted(spill)}")
    connection.execute("SET python_enable_replacements = false")
    connection.execute(f"SET allowed_directories = [{quoted(uri)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
