from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from prototype_rows import decision, learn, publish_decisions
from sql_catalog import fill, image, publish

from maskmill.catalogs.query import connect
from maskmill.catalogs.sql_script import sql_script
from maskmill.catalogs.sql_tables import PinnedTables
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.views import VIEWS, Shape
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.tables import TABLES


def test_the_script_gives_a_plain_duckdb_the_same_views(catalog: Catalog) -> None:
    learn(fill(catalog), "p1", "p2", "p3")
    named = decision("p1", "name", 1, name="it's a zebra")
    publish_decisions(catalog, "1", named, decision("p2", "merge", 1, merge_into="p1"))
    script = sql_script(catalog.uri)
    with duckdb.connect(":memory:") as plain, connect(catalog.uri) as ours:
        plain.execute(script)
        for name in (*TABLES, *VIEWS):
            statement = f'SELECT * FROM "{name}" ORDER BY ALL'
            assert plain.table(name).columns == ours.table(name).columns
            assert plain.execute(statement).fetchall() == ours.execute(statement).fetchall(), name
        labels = plain.execute("SELECT label FROM latest_masks WHERE label_kind = 'prototype' ORDER BY key")
        assert labels.fetchall() == [("it's a zebra",), ("it's a zebra",), ("p3",)]
        assert plain.execute("SELECT bbox_iou(0, 0, 4, 4, 2, 0, 4, 4)").fetchall() == [
            (pytest.approx(1 / 3),)
        ]


def test_the_script_pins_a_version_and_can_be_run_again_in_a_database_file(
    catalog: Catalog, tmp_path: Path
) -> None:
    first = publish(catalog, "label-1", 1, {"images": [image("a", 0)]})
    script = sql_script(catalog.uri, first)
    publish(catalog, "label-2", 2, {"images": [image("b", 0)]})
    assert script == sql_script(catalog.uri, first)
    for _ in range(2):
        with duckdb.connect(str(tmp_path / "views.duckdb")) as plain:
            plain.execute(script)
            assert plain.execute("SELECT key FROM latest_images").fetchall() == [("a",)]
    with duckdb.connect(str(tmp_path / "views.duckdb")) as plain:
        plain.execute(sql_script(catalog.uri))
        assert plain.execute("SELECT count(*) FROM latest_images").fetchall() == [(2,)]


def test_the_script_says_what_it_is_of_and_what_is_left_out(catalog: Catalog) -> None:
    publish(catalog, "label-1", 1, {})
    head = sql_script(catalog.uri).split("\n\n")[0]
    assert f"Catalog {catalog.uri}, version 1" in head
    assert "rle_area, rle_iou, rle_decode" in head
    assert "httpfs" not in head
    assert all(line.startswith("-- ") for line in head.splitlines())


def test_a_script_for_an_object_store_says_what_duckdb_needs_there(monkeypatch: pytest.MonkeyPatch) -> None:
    files = dict.fromkeys(TABLES, ()) | {"images": ("s3://bucket/c/images/run_id=r/0.parquet",)}
    pinned = PinnedTables("s3://bucket/c", 1, files, {"r": 1}, frozenset("r"), Shape())
    monkeypatch.setattr(PinnedTables, "of", lambda *_: pinned)
    script = sql_script("s3://bucket/c")
    assert "-- INSTALL httpfs; LOAD httpfs;" in script
    assert "read_parquet(['s3://bucket/c/images/run_id=r/0.parquet']" in script


def test_there_must_be_something_to_write_about(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="nothing is published"):
        sql_script(catalog.uri)
    publish(catalog, "label-1", 1, {})
    with pytest.raises(CatalogError, match="no version 7"):
        sql_script(catalog.uri, 7)
