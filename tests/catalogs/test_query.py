from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from maskmill.catalogs import store
from maskmill.catalogs.files import write_rows
from maskmill.catalogs.query import connect, query
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.views import VIEWS
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.tables import SCHEMA_VERSION, TABLES

MakeRow = Callable[..., dict[str, Any]]
Fill = Callable[[str], int]


@pytest.fixture
def fill(catalog: Catalog, run_row: MakeRow, image_row: MakeRow, mask_row: MakeRow) -> Fill:
    """Publish a label run of three images: two with cats, one of these with a dog, one with nothing."""

    def publish(run_id: str) -> int:
        images = [image_row("a", 2), image_row("b", 1), image_row("c", 0)]
        masks = [mask_row("a", "cat", 0.4), mask_row("a", "dog", 0.9), mask_row("b", "cat", 0.6)]
        catalog.commit(
            [
                write_rows(catalog.uri, "images", run_id, "0", images),
                write_rows(catalog.uri, "masks", run_id, "0", masks[:2]),
                write_rows(catalog.uri, "masks", run_id, "1", masks[2:]),
            ]
        )
        return catalog.publish(run_row(), run_id)

    return publish


def test_there_is_a_typed_view_for_every_table_with_and_without_files(catalog: Catalog, fill: Fill) -> None:
    fill("0123")
    with connect(catalog.uri) as connection:
        for table, schema in TABLES.items():
            view = connection.table(table)
            expected = connection.from_arrow(schema.append(pa.field("run_id", pa.string())).empty_table())
            assert (view.columns, view.types) == (expected.columns, expected.types), table
        assert connection.execute("SELECT DISTINCT run_id FROM masks").fetchall() == [("0123",)]
        assert connection.execute("SELECT count(*) FROM captions").fetchall() == [(0,)]
        names = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    assert names == {*TABLES, *VIEWS, "speaking_images", "speaking_masks"}


def test_label_stats_count_masks_and_images(catalog: Catalog, fill: Fill) -> None:
    fill("r")
    assert query(catalog.uri, "FROM label_stats").to_pylist() == [
        {
            "label": "cat",
            "masks": 2,
            "images": 2,
            "mean_score": pytest.approx(0.5),
            "mean_area_fraction": 0.25,
        },
        {
            "label": "dog",
            "masks": 1,
            "images": 1,
            "mean_score": pytest.approx(0.9),
            "mean_area_fraction": 0.25,
        },
    ]


def test_unlabelled_images_have_no_mask(catalog: Catalog, fill: Fill) -> None:
    fill("r")
    assert query(catalog.uri, "SELECT key, run_id FROM unlabelled_images").to_pylist() == [
        {"key": "c", "run_id": "r"}
    ]


def test_a_version_is_pinned(catalog: Catalog, fill: Fill) -> None:
    first = fill("r1")
    with connect(catalog.uri) as opened:
        second = fill("r2")
        assert opened.execute("SELECT count(*) FROM masks").fetchall() == [(3,)]
    counts = [
        query(catalog.uri, "SELECT count(*) AS n FROM masks", v)["n"].to_pylist() for v in (first, second)
    ]
    assert counts == [[3], [6]]
    assert query(catalog.uri, "SELECT run_id FROM runs ORDER BY 1")["run_id"].to_pylist() == ["r1", "r2"]


def test_only_the_files_of_the_asked_run_are_read(catalog: Catalog, fill: Fill) -> None:
    fill("r1")
    fill("r2")
    plan = query(catalog.uri, "EXPLAIN ANALYZE SELECT label FROM masks WHERE run_id = 'r2'")
    assert "run_id=r2/" in str(plan.to_pylist())
    assert "run_id=r1/" not in str(plan.to_pylist())


def test_folders_that_look_like_partitions_do_not_confuse(
    tmp_path: Path, run_row: MakeRow, image_row: MakeRow
) -> None:
    catalog = Catalog.create_or_open(f"{tmp_path}/run_id=no/key=5/c")
    catalog.commit([write_rows(catalog.uri, "images", "r", "0", [image_row("a")])])
    catalog.publish(run_row(), "r")
    assert query(catalog.uri, "SELECT key, run_id FROM images").to_pylist() == [{"key": "a", "run_id": "r"}]


def test_times_are_utc(catalog: Catalog, fill: Fill) -> None:
    fill("r")
    text = query(catalog.uri, "SELECT started_at::VARCHAR AS t FROM runs")["t"].to_pylist()
    assert text == ["2026-01-02 00:00:00+00"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS one;",
        "WITH a AS (SELECT 1) FROM a",
        "FROM masks LIMIT 1",
        "VALUES (1)",
        "DESCRIBE masks",
        "SHOW TABLES",
        "SUMMARIZE masks",
        "EXPLAIN SELECT 1",
        "explain analyze SELECT count(*) FROM masks",
        "EXPLAIN (FORMAT json) SELECT 1",
    ],
)
def test_statements_that_read_are_answered(catalog: Catalog, fill: Fill, sql: str) -> None:
    fill("r")
    assert query(catalog.uri, sql).num_columns > 0


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("DROP VIEW masks", "this is DROP"),
        ("SELECT 1; SELECT 2", "this is SELECT and SELECT"),
        ("", "this is nothing"),
        ("-- only a comment", "this is nothing"),
        ("CREATE TABLE t (a INT)", "this is CREATE"),
        ("INSERT INTO masks SELECT * FROM masks", "this is INSERT"),
        ("COPY masks TO 'OUT'", "this is COPY"),
        ("EXPLAIN ANALYZE COPY masks TO 'OUT'", "this is COPY"),
        ("EXPLAIN (ANALYZE) COPY masks TO 'OUT'", "this is COPY"),
        ("explain /* */ analyze COPY masks TO 'OUT'", "syntax error"),
        ("ATTACH 'OUT' AS other", "this is ATTACH"),
        ("SET threads = 1", "this is SET"),
        ("INSTALL httpfs", "this is LOAD"),
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM masks", "nothing"),
        ("FROM segments", "segments does not exist"),
    ],
)
def test_other_statements_are_refused(
    catalog: Catalog, fill: Fill, tmp_path: Path, sql: str, complaint: str
) -> None:
    fill("r")
    for out in (tmp_path / "out", Path(catalog.uri) / "masks" / "out"):
        with pytest.raises(CatalogError, match=complaint):
            query(catalog.uri, sql.replace("OUT", str(out).replace("'", "''")))
        assert not out.exists()


def test_files_outside_of_the_catalog_and_python_variables_cannot_be_read(
    catalog: Catalog, fill: Fill, tmp_path: Path
) -> None:
    fill("r")
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    local_table = pa.table({"a": [1]})
    climbing = f"{catalog.uri}/../secret.csv".replace("'", "''")
    for source in (f"read_csv('{secret}')", f"'{secret}'", f"read_text('{climbing}')", "local_table"):
        with pytest.raises(CatalogError, match=r"Permission Error|does not exist"):
            query(catalog.uri, f"SELECT * FROM {source}")
    assert local_table.num_rows == 1


def test_a_connection_of_ones_own_may_do_more(catalog: Catalog, fill: Fill, tmp_path: Path) -> None:
    fill("r")
    other = tmp_path / "other.csv"
    other.write_text("label,colour\ncat,red\n")
    with connect(catalog.uri) as connection:
        joined = connection.execute(f"SELECT DISTINCT colour FROM masks JOIN '{other}' USING (label)")
        assert joined.fetchall() == [("red",)]


def test_there_must_be_something_to_query(catalog: Catalog, tmp_path: Path, fill: Fill) -> None:
    with pytest.raises(CatalogError, match="nothing is published"):
        connect(catalog.uri)
    with pytest.raises(CatalogError, match="no catalog at"):
        connect(str(tmp_path / "missing"))
    fill("r")
    with pytest.raises(CatalogError, match="no version 9"):
        connect(catalog.uri, 9)


def test_a_file_that_vanished_is_named(catalog: Catalog, fill: Fill) -> None:
    fill("r")
    Path(catalog.files("masks")[0]).unlink()
    with pytest.raises(CatalogError, match=r"run_id=r/0\.parquet"):
        query(catalog.uri, "SELECT count(*) FROM masks")


def test_no_extension_is_installed_by_itself(catalog: Catalog, fill: Fill) -> None:
    fill("r")
    with connect(catalog.uri) as connection:
        setting = connection.execute("SELECT current_setting('autoinstall_known_extensions')").fetchone()
        assert setting is not None
        assert str(setting[0]).lower() == "false"
        assert isinstance(connection, duckdb.DuckDBPyConnection)


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_columns_that_a_file_does_not_hold_are_null(
    catalog: Catalog,
    run_row: MakeRow,
    mask_row: MakeRow,
    monkeypatch: pytest.MonkeyPatch,
    order: tuple[str, str],
) -> None:
    known = TABLES["masks"]
    before = pa.schema([field for field in known if field.name != "entropy"])
    schemas = {"old": (before, SCHEMA_VERSION - 1), "new": (known, SCHEMA_VERSION)}
    for name, run_id in zip(order, ("r1", "r2"), strict=True):
        schema, number = schemas[name]
        monkeypatch.setitem(TABLES, "masks", schema)
        monkeypatch.setattr(store, "SCHEMA_VERSION", number)
        row = mask_row("a", "cat") | ({"entropy": 0.25} if name == "new" else {})
        catalog.commit([write_rows(catalog.uri, "masks", run_id, "0", [row])])
        catalog.publish(run_row(), run_id)
    monkeypatch.undo()
    found = query(catalog.uri, "SELECT * EXCLUDE rle FROM masks ORDER BY entropy NULLS FIRST").to_pylist()
    assert [row["entropy"] for row in found] == [None, 0.25]
    assert [row["run_id"] for row in found] == [("r1", "r2")[order.index(name)] for name in ("old", "new")]
    assert list(found[0]) == [name for name in (*known.names, "run_id") if name != "rle"]


def test_masks_are_measured_where_the_machine_is_closed(
    catalog: Catalog, run_row: MakeRow, mask_row: MakeRow
) -> None:
    drawn = encode_mask(np.tri(3, 4, dtype=np.bool_))
    rows = [mask_row("a", "cat") | {"rle": drawn}]
    catalog.commit([write_rows(catalog.uri, "masks", "r", "0", rows)])
    catalog.publish(run_row(), "r")
    masks = "rle_area(rle) AS area, rle_iou(rle, rle, height, width) AS iou"
    assert query(
        catalog.uri, f"SELECT {masks}, bbox_iou(0, 0, 2, 2, 1, 0, 2, 2) AS box FROM masks"
    ).to_pylist() == [{"area": 6, "iou": 1.0, "box": pytest.approx(1 / 3)}]
