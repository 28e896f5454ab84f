"""Places that are no catalogs, places one may not touch, odd names, and statements that would do harm."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from sql_catalog import fill, image, mask, publish

from maskmill.catalogs.maintenance import info, tag, verify
from maskmill.catalogs.query import query
from maskmill.catalogs.sql_script import sql_script
from maskmill.catalogs.storage import catalog_uri
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

SUPPORT = Path(__file__).parents[1] / "support"
LABELS = ["it's", 'a "b"', "a\nb\r\n\tc", "x'; DROP VIEW masks; --", "漢字 🦓 é", "%s {0} \\ $1", "NULL", " "]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fill(Catalog.create_or_open(str(tmp_path_factory.mktemp("hostile") / "c"))).uri


def contents(folder: str | Path) -> dict[str, str]:
    """Return path -> digest of all files below a folder."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# -- places ---------------------------------------------------------------------------------------------


def test_a_file_and_what_lies_below_one_are_no_catalogs(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    path.write_text("x")
    for call in (Catalog.open, Catalog.create_or_open, lambda uri: query(uri, "SELECT 1")):
        with pytest.raises(CatalogError, match="is a file; a catalog is a folder"):
            call(str(path))
    with pytest.raises(CatalogError, match="Not a directory"):
        Catalog.create_or_open(f"{path}/below")
    assert path.read_text() == "x"


@pytest.mark.parametrize("place", ["", "runs", "masks"])
def test_a_delta_table_of_another_tool_is_left_alone(tmp_path: Path, place: str) -> None:
    write_deltalake(str(tmp_path / place), pa.table({"a": [1]}))
    before = contents(tmp_path)
    for call in (Catalog.open, Catalog.create_or_open):
        with pytest.raises(CatalogError, match=r"is a table of another tool|no catalog"):
            call(str(tmp_path))
    assert contents(tmp_path) == before


def test_a_table_that_another_tool_put_in_place_of_ones_own_is_not_written_to(
    filled: str, tmp_path: Path
) -> None:
    uri = str(shutil.copytree(filled, tmp_path / "c"))
    shutil.rmtree(f"{uri}/masks")
    write_deltalake(f"{uri}/masks", pa.table({"a": [1]}))
    with pytest.raises(CatalogError, match="has no column 'image_id'"):
        publish(Catalog.open(uri), "label-9", 9, {"masks": [mask("a", "cat", (0, 0, 9, 9), 0.5)]})
    with pytest.raises(CatalogError, match=r"cannot open '.*/masks'"):
        query(uri, "FROM masks")


@pytest.mark.parametrize("name", ["thesis.tex", "images/1.jpg", "masks/1.png", "captions/notes/a.txt"])
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(CatalogError, match=r"holds '.*' and is no catalog; give a new or an empty folder"):
        Catalog.create_or_open(str(tmp_path))
    assert list(contents(tmp_path)) == [str(tmp_path / name)]


# -- permission -----------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_without_permission_there_is_an_error_and_reading_needs_none_to_write(
    filled: str, open_folder: Path
) -> None:
    # Root may do everything: as root the process becomes nobody, as anyone else the owner without the bits.
    readable, closed, empty = (open_folder / name for name in ("readable", "closed", "empty"))
    for made in (readable, closed):
        shutil.copytree(filled, made)
    empty.mkdir()
    for path in (empty, *readable.rglob("*"), readable):
        path.chmod(0o555 if path.is_dir() else 0o444)
    closed.chmod(0o000)
    attempts = [
        *("query", readable, "write", readable, "publish", readable),
        *("open", closed, "create", closed, "create", empty, "create", empty / "c"),
    ]
    command = [sys.executable, str(SUPPORT / "without_rights.py"), *map(str, attempts)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(open_folder))
    if "ModuleNotFoundError" in ran.stderr or "PermissionError: [Errno 13]" in ran.stderr:
        pytest.skip("another user cannot read this Python")
    read, written, published, *refused = ran.stdout.splitlines()
    assert read == "done: [8]", ran
    for line in (written, *refused):
        assert line.startswith("refused: ")
        assert "no permission" in line or "Permission denied" in line, line
    assert published.startswith("refused: ")
    assert contents(readable).keys() == {name.replace(filled, str(readable)) for name in contents(filled)}
    assert list(empty.iterdir()) == []


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


# -- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "it's",
        'q"q',
        "ü漢🦓",
        "50% off",
        "a%2",
        "#hash",
        "[x]",
        "{a,b}",
        "$HOME",
        "~",
        "a;b",
        "a&b=c",
        "-x",
    ],
)
def test_a_catalog_lives_at_any_path(tmp_path: Path, name: str) -> None:
    uri = f"{tmp_path}/{name}/c"
    catalog = Catalog.create_or_open(uri)
    assert catalog.uri == uri
    drawn = {"images": [image("a", 1)], "masks": [mask("a", "cat", (0, 0, 9, 9), 0.5)]}
    publish(catalog, "label-1", 1, drawn)
    assert query(uri, "SELECT key, label FROM latest_masks").to_pylist() == [{"key": "a", "label": "cat"}]
    tag(uri, "t")
    assert (info(uri, "t").version, verify(uri).findings) == (1, ())
    with duckdb.connect() as plain:
        plain.execute(sql_script(uri))
        assert plain.execute("SELECT key FROM latest_masks").fetchall() == [("a",)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["100%25", "a?b", "a*b", "a::b", "a\nb", "a\tb", "a\\b", "a\0b"])
def test_a_path_that_a_library_would_take_for_another_is_refused(tmp_path: Path, name: str) -> None:
    for call in (Catalog.open, Catalog.create_or_open, lambda uri: query(uri, "SELECT 1")):
        with pytest.raises(CatalogError, match=r"a catalog cannot lie at .*: choose a path without"):
            call(f"{tmp_path}/{name}/c")
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_no_characters_or_of_no_text_is_refused(tmp_path: Path) -> None:
    for nothing in ("", "  "):
        with pytest.raises(CatalogError, match="needs a place"):
            catalog_uri(nothing)
    with pytest.raises(CatalogError, match="surrogates not allowed"):
        Catalog.create_or_open(f"{tmp_path}/\udce9")
    with pytest.raises(CatalogError, match="File name too long"):
        Catalog.create_or_open(f"{tmp_path}/{'x' * 300}")


def test_labels_are_texts_whatever_they_hold(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "c"))
    drawn = [mask("a", label, (0, 0, 9, 9), 0.5) for label in LABELS]
    publish(catalog, "label-1", 1, {"images": [image("a", len(LABELS))], "masks": drawn})
    for view in ("latest_masks", "class_stats", "label_stats"):
        assert set(query(catalog.uri, f"SELECT label FROM {view}")["label"].to_pylist()) == set(LABELS)
    for label in LABELS:
        escaped = label.replace("'", "''")
        assert query(catalog.uri, f"FROM masks WHERE label = '{escaped}'").num_rows == 1
    assert verify(catalog.uri).findings == ()


@pytest.mark.parametrize("name", ["../r", "a/b", "", "a b", "x" * 151, ".r", "é"])
def test_a_run_id_cannot_lead_out_of_its_table(filled: str, name: str) -> None:
    before = contents(filled)
    with pytest.raises(CatalogError, match="must be letters, digits and"):
        publish(Catalog.open(filled), name, 1, {"images": [image("a", 0)]})
    with pytest.raises(CatalogError, match="has no version or tag"):
        query(filled, "SELECT 1", version=f"{name}'; DROP")
    assert contents(filled) == before


# -- statements -----------------------------------------------------------------------------------------

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
