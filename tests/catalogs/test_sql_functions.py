from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from sql_catalog import HEIGHT, WIDTH, fill, mask, publish

import maskmill
from maskmill.catalogs.query import connect, query
from maskmill.catalogs.rle import decode_mask, encode_mask
from maskmill.catalogs.sql_functions import add_functions, rle_decode
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        add_functions(connection)
        yield connection


def answer(db: duckdb.DuckDBPyConnection, sql: str, *given: object) -> list[object]:
    return [row[0] for row in db.execute(sql, list(given)).fetchall()]


def test_every_row_of_many_batches_gets_its_own_answer(db: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((3000, 16, 9)) < rng.random((3000, 1, 1))
    table = pa.table({"i": range(3000), "rle": pa.array([encode_mask(m) for m in masks], pa.binary())})
    db.register("drawn", table)
    areas = answer(db, "SELECT rle_area(rle) FROM drawn ORDER BY i")
    assert areas == masks.sum((1, 2)).tolist()
    sql = "SELECT rle_iou(a.rle, b.rle, 16, 9) FROM drawn a JOIN drawn b ON b.i = a.i + 1 ORDER BY a.i"
    shared, either = masks[:-1] & masks[1:], masks[:-1] | masks[1:]
    assert answer(db, sql) == pytest.approx(shared.sum((1, 2)) / np.maximum(either.sum((1, 2)), 1))
    blobs = answer(db, "SELECT rle_decode(rle, 16, 9) FROM drawn ORDER BY i")
    assert b"".join(blobs) == masks.astype(np.uint8).tobytes()  # type: ignore[arg-type]
    db.unregister("drawn")


def test_sizes_may_differ_from_row_to_row(db: duckdb.DuckDBPyConnection) -> None:
    drawn = [np.tri(3, 7, dtype=np.bool_), np.ones((1, 1), np.bool_), np.zeros((6, 2), np.bool_)]
    rows = ", ".join(f"('{encode_mask(m).decode()}'::BLOB, {m.shape[0]}, {m.shape[1]})" for m in drawn)
    blobs = answer(db, f"SELECT rle_decode(rle, h, w) FROM (VALUES {rows}) t(rle, h, w)")
    assert blobs == [m.astype(np.uint8).tobytes() for m in drawn]


def test_null_in_gives_null_out(db: duckdb.DuckDBPyConnection) -> None:
    counts = encode_mask(np.eye(3, dtype=np.bool_)).decode()
    rows = f"VALUES (NULL::BLOB, 3), ('{counts}'::BLOB, NULL), ('{counts}'::BLOB, 3)"
    table = f"({rows}) t(rle, h)"
    assert answer(db, f"SELECT rle_area(rle) FROM {table}") == [None, 3, 3]
    assert answer(db, f"SELECT rle_iou(rle, rle, h, h) FROM {table}") == [None, None, 1.0]
    assert answer(db, f"SELECT octet_length(rle_decode(rle, h, 3)) FROM {table}") == [None, None, 9]
    assert answer(db, "SELECT rle_area(NULL)") == [None]


def test_columns_of_the_catalog_fit_the_functions(tmp_path: Path) -> None:
    uri = fill(Catalog.create_or_open(str(tmp_path / "c"))).uri
    measured = query(uri, "SELECT rle_area(rle) AS a, area, rle_iou(rle, rle, height, width) AS i FROM masks")
    assert measured["a"] == measured["area"]
    assert set(measured["i"].to_pylist()) == {1.0}
    first = query(
        uri, "SELECT rle, rle_decode(rle, height, width) AS m FROM latest_masks LIMIT 1"
    ).to_pylist()[0]
    pixels = np.frombuffer(first["m"], np.uint8).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(pixels, decode_mask(first["rle"], HEIGHT, WIDTH))


def test_a_damaged_mask_is_named_and_can_be_looked_for(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "c"))
    sound = mask("a", "cat", (0, 0, 9, 9), 0.5)
    damaged = [
        mask("b", "cat", (0, 0, 9, 9), 0.5, rle=b"\x00\x01"),
        mask("c", "cat", (0, 0, 9, 9), 0.5, rle=b"a1"),
    ]
    publish(catalog, "label-1", 1, {"masks": [sound, *damaged]})
    with pytest.raises(CatalogError, match=r"^damaged mask: these are no COCO .*: 2 bytes, b'\\x00\\x01'$"):
        query(catalog.uri, "SELECT rle_area(rle) FROM masks")
    with pytest.raises(CatalogError, match="its runs fill 49 pixels, not 40 x 60"):
        query(catalog.uri, "SELECT rle_decode(rle, height, width) FROM masks WHERE key = 'c'")
    found = query(
        catalog.uri, "SELECT key FROM masks WHERE try(rle_iou(rle, rle, height, width)) IS NULL ORDER BY 1"
    )
    assert found["key"].to_pylist() == ["b", "c"]


def test_decoding_more_than_memory_holds_is_refused() -> None:
    length = 1 << 15
    empty = coco_mask.frPyObjects({"counts": [length * length], "size": [length, length]}, length, length)
    rle, side = pa.array([empty["counts"]] * 2, pa.binary()), pa.array([length] * 2)
    with pytest.raises(
        CatalogError, match="rle_decode of 2 masks at once needs 2147483648 bytes; choose fewer"
    ):
        rle_decode(rle, side, side)


sides = st.integers(0, 60_000)
boxes = st.tuples(st.integers(-60_000, 60_000), st.integers(-60_000, 60_000), sides, sides)


@settings(max_examples=100, deadline=None)
@given(boxes, boxes)
def test_bbox_iou_is_that_of_pycocotools(
    db: duckdb.DuckDBPyConnection, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    (found,) = answer(db, f"SELECT bbox_iou({', '.join(f'{x}::INTEGER' for x in (*a, *b))})")
    if a[2] * a[3] + b[2] * b[3]:
        expected = coco_mask.iou(np.array([a], np.float64), np.array([b], np.float64), [0])[0, 0]
        assert found == pytest.approx(expected)
    else:
        assert found == 0


@pytest.mark.parametrize("place", range(8))
def test_bbox_iou_of_an_unknown_box_is_unknown(db: duckdb.DuckDBPyConnection, place: int) -> None:
    sides = ["1"] * 8
    sides[place] = "NULL"
    assert answer(db, f"SELECT bbox_iou({', '.join(sides)})") == [None]


def test_a_cursor_knows_the_functions(tmp_path: Path) -> None:
    uri = fill(Catalog.create_or_open(str(tmp_path / "c"))).uri
    with connect(uri) as connection, connection.cursor() as cursor:
        assert answer(cursor, "SELECT count(*) FROM masks WHERE rle_area(rle) = area") == [11]


@pytest.mark.parametrize(
    "ending",
    ["", "; db.close()", "; import sys; sys.kept = db", "; rows = db.sql('SELECT rle_area(rle) FROM masks')"],
)
def test_nothing_is_said_at_exit(tmp_path: Path, ending: str) -> None:
    uri = fill(Catalog.create_or_open(str(tmp_path / "c"))).uri
    use = "db.sql('SELECT rle_area(rle) FROM masks').fetchall()"
    code = f"import maskmill; db = maskmill.connect({uri!r}); {use}"
    done = subprocess.run(
        [sys.executable, "-c", code + ending], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_the_package_opens_a_catalog(tmp_path: Path) -> None:
    uri = fill(Catalog.create_or_open(str(tmp_path / "c"))).uri
    with maskmill.connect(uri, 1) as connection:
        assert answer(connection, "SELECT run_id FROM runs") == ["filter-1"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        maskmill.nothing  # noqa: B018
