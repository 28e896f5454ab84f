"""DuckDB as a helper of checks and comparisons: much of a catalog at once, in little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from ..sql_errors import sql_reported
from ..sql_tables import RUN_OF_FILE, quoted, quoted_name
from ..storage import is_local, locate

# What does not fit goes to files in the folder for temporary files.
_MEMORY = "384MB"


@contextmanager
def scratch(uri: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB that can read the files of a catalog, and whose memory is bounded.

    Raises:
        CatalogError: DuckDB cannot read a file; the text names it.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "memory_limit": _MEMORY,
    }
    with (
        tempfile.TemporaryDirectory(prefix="maskmill-") as folder,
        sql_reported(f"cannot read the files of {uri!r}"),
        duckdb.connect(":memory:", config=config) as connection,
    ):
        fs, _ = locate(uri)
        if not is_local(fs):
            connection.register_filesystem(fs)
        connection.execute(f"SET temp_directory = {quoted(folder)}")
        connection.execute("SET preserve_insertion_order = false")
        # It would be drawn into what a command prints.
        connection.execute("SET enable_progress_bar = false")
        yield connection


def rows_of(uris: Sequence[str], columns: Sequence[str]) -> str:
    """Return a SELECT of columns of files, with ``run_id`` from their paths; no files give no rows.

    Args:
        columns: names of texts or of others that all files hold.
    """
    names = ", ".join(quoted_name(name) for name in columns)
    if not uris:
        empty = ", ".join(f"CAST(NULL AS VARCHAR) AS {quoted_name(name)}" for name in (*columns, "run_id"))
        return f"SELECT {empty} WHERE false"
    listed = ", ".join(quoted(uri) for uri in uris)
    reader = f"read_parquet([{listed}], hive_partitioning = false, filename = true)"
    return f"SELECT {names}, {RUN_OF_FILE} AS run_id FROM {reader}"  # noqa: S608 - all are quoted
