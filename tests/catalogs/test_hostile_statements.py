"""Statements that would do harm: that write, read what is not of the catalog, or do something else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from digests import contents

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

COPIES = [
    "WITH x AS (COPY masks TO 'OUT') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO 'OUT' (FORMAT parquet)) FROM x",
    "with x as materialized (/* */ cOpY masks TO 'OUT') SELECT 1",
    "WITH y AS (SELECT 1), x AS (COPY masks TO 'OUT') FROM y",
    "/* explain ( */ WITH x AS (COPY masks TO 'OUT') /* */ SELECT 1",
    "EXPLAIN ANALYZE WITH x AS (COPY masks TO 'OUT') SELECT 1",
    "EXPLAIN (ANALYZE, FORMAT json) WITH x AS (COPY masks TO 'OUT') SELECT 1",
    "/* ( */ EXPLAIN ANALYZE COPY masks TO 'OUT' -- )",
    "DESCRIBE WITH x AS (COPY masks TO 'OUT') SELECT 1",
    "FROM (WITH x AS (COPY masks TO 'OUT') SELECT 1)",
    "FROM query('WITH x AS (CO' || 'PY masks TO ''OUT'') SELECT 1')",
    "COPY masks TO 'OUT'",
]


@pytest.mark.parametrize("sql", COPIES)
@pytest.mark.parametrize("place", ["new", "file of the catalog"])
def test_no_statement_writes_not_even_where_it_may_read(filled: str, sql: str, place: str) -> None:
    before = contents(filled)
    out = f"{filled}/masks/new.parquet" if place == "new" else Catalog.open(filled).files("masks")[0]
    with pytest.raises(CatalogError, match=r"COPY|EXPLAIN be the first word"):
        query(filled, sql.replace("OUT", out))
    assert contents(filled) == before


def test_a_statement_may_speak_of_copies(filled: str) -> None:
    assert query(filled, "SELECT 'copy' AS copy").to_pylist() == [{"copy": "copy"}]
    assert query(filled, "EXPLAIN SELECT 'COPY'").num_rows == 1


@pytest.mark.parametrize(
    "source",
    [
        "read_text('/etc/passwd')",
        "read_csv('/etc/passwd')",
        "'/etc/passwd'",
        "glob('/etc/*')",
        "read_json('/proc/self/environ')",
        "parquet_metadata('/etc/passwd')",
        "sniff_csv('/etc/passwd')",
        "read_text('.tmp/spilled')",
        "read_parquet('https://example.com/x.parquet')",
        "read_text('s3://bucket/x')",
        "duckdb_secrets()",
        "query('FROM read_text(''/etc/pass' || 'wd'')')",
    ],
)
def test_no_statement_reads_what_is_not_of_the_catalog(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "spilled").write_text("secret")
    with pytest.raises(CatalogError, match=r"Permission Error|does not exist"):
        query(filled, f"FROM {source}")


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ATTACH '/tmp/x.db' AS x", "ATTACH"),
        ("INSTALL httpfs", "LOAD"),
        ("LOAD httpfs", "LOAD"),
        ("PRAGMA enable_profiling", "PRAGMA"),
        ("CALL enable_logging()", "CALL"),
        ("SET memory_limit = '1GB'", "SET"),
        ("EXPORT DATABASE '/tmp/x'", "EXPORT"),
        ("CREATE OR REPLACE VIEW masks AS SELECT 1", "CREATE"),
        ("DELETE FROM runs", "DELETE"),
        ("SELECT 1; DROP VIEW masks", "SELECT and DROP"),
        ("BEGIN", "TRANSACTION"),
    ],
)
def test_what_does_not_read_is_named_and_refused(filled: str, sql: str, kind: str) -> None:
    with pytest.raises(CatalogError, match=f"give one statement that reads.*this is {kind}"):
        query(filled, sql)


def test_a_statement_of_no_text_is_refused(filled: str) -> None:
    with pytest.raises(CatalogError, match="no Unicode text"):
        query(filled, "SELECT '\udce9'")


def test_large_results_are_spilled_neither_here_nor_into_the_catalog(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = contents(filled)
    assert (
        query(filled, "SELECT current_setting('temp_directory') AS t")["t"]
        .to_pylist()[0]
        .startswith(tempfile.gettempdir())
    )
    assert list(tmp_path.iterdir()) == []
    assert contents(filled) == before
