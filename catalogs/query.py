"""A catalog version as DuckDB views, and read-only SQL over it; no DuckDB extension is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb
import fsspec
import pyarrow as pa

from ..schemas.errors import CatalogError
from ..schemas.tables import PARTITION, TABLES
from .storage import is_local, locate, reported_as
from .store import Catalog

VIEWS = {
    "label_stats": """
        SELECT label, count(*) AS masks, count(DISTINCT image_id) AS images, avg(score) AS mean_score,
            avg(area_fraction) AS mean_area_fraction
        FROM masks GROUP BY label ORDER BY masks DESC, label""",
    "unlabelled_images": "SELECT * FROM images WHERE masks = 0",
}

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)
# The run's folder is the last but one part of a file's path. Hive partitioning would read the same from any
# part of the path, so that a catalog below a folder ``a=b`` or ``run_id=x`` gave wrong columns.
_RUN = f"parse_path(filename)[-2][{len(PARTITION) + 2}:]"


def connect(uri: str, version: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open a catalog version in an in-memory DuckDB.

    There is a view for every table, with its ``run_id``, and for each of `VIEWS`: ``label_stats``, and
    ``unlabelled_images``, which have no mask. The views name their files one by one: what is committed later
    does not show.

    Args:
        uri: folder or object-store prefix of the catalog.
        version: catalog version; default: the newest.

    Raises:
        CatalogError: no catalog, nothing published, or no such version.
    """
    catalog = Catalog.open(uri)
    files = catalog.all_files(version)
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    with reported_as(CatalogError, f"cannot query {catalog.uri!r}"):
        fs, _ = locate(catalog.uri)
        if not is_local(fs):
            _remember_listings(fs, files)
            connection.register_filesystem(fs)
        connection.execute("SET TimeZone = 'UTC'")
        for table, uris in files.items():
            connection.execute(f'CREATE VIEW "{table}" AS {_select(connection, table, uris)}')
        for name, statement in VIEWS.items():
            connection.execute(f'CREATE VIEW "{name}" AS {statement}')
    return connection


def query(uri: str, sql: str, version: int | None = None) -> pa.Table:
    """Answer one SELECT, WITH, VALUES, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN over a catalog version.

    The statement sees the catalog's files and no other, and cannot change DuckDB's settings.

    Raises:
        CatalogError: as `connect`; another kind of statement, or several; DuckDB's own words on a bad one.
    """
    with connect(uri, version) as connection:
        try:
            _refuse_all_but_reading(connection, sql)
            _lock(connection, Catalog(uri).uri)
            return connection.sql(sql).to_arrow_table()
        except duckdb.Error as err:
            raise CatalogError(str(err)) from err


def _remember_listings(fs: fsspec.AbstractFileSystem, files: Mapping[str, list[str]]) -> None:
    """List each run's folder once; DuckDB asks several times for every file, each a request otherwise."""
    for folder in sorted({uri.rpartition("/")[0] for uris in files.values() for uri in uris}):
        fs.ls(folder)


def _select(connection: duckdb.DuckDBPyConnection, table: str, uris: list[str]) -> str:
    if uris:
        columns = ", ".join(f'"{name}"' for name in TABLES[table].names)
        listed = ", ".join(_quoted(uri) for uri in uris)
        reader = f"read_parquet([{listed}], hive_partitioning = false, filename = true)"
        return f"SELECT {columns}, {_RUN} AS {PARTITION} FROM {reader}"  # noqa: S608 - all names are quoted
    schema = TABLES[table].append(pa.field(PARTITION, pa.string()))
    empty = connection.from_arrow(schema.empty_table())
    nulls = (f'CAST(NULL AS {t}) AS "{n}"' for n, t in zip(empty.columns, empty.types, strict=True))
    return f"SELECT {', '.join(nulls)} WHERE false"


def _refuse_all_but_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    kinds = [statement.type for statement in connection.extract_statements(sql)]
    if kinds == [duckdb.StatementType.EXPLAIN]:
        # EXPLAIN ANALYZE runs what it explains, which may be a COPY.
        kinds = [
            statement.type for statement in connection.extract_statements(_EXPLAIN.sub("", sql, count=1))
        ]
    if kinds != [duckdb.StatementType.SELECT]:
        given = " and ".join(kind.name for kind in kinds) or "nothing"
        raise CatalogError(f"give one statement that reads, such as a SELECT; this is {given}")


def _lock(connection: duckdb.DuckDBPyConnection, uri: str) -> None:
    connection.execute("SET python_enable_replacements = false")
    connection.execute(f"SET allowed_directories = [{_quoted(uri)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
