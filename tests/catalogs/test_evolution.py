"""Catalogs that an earlier maskmill wrote."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from maskmill.catalogs import store
from maskmill.catalogs.evolution import widen
from maskmill.catalogs.files import FileAdd, read_files, write_rows
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas import tables
from maskmill.schemas.errors import CatalogError

MakeRow = Callable[..., dict[str, Any]]
LATER = {"masks": "entropy", "images": "annotator"}  # what schema version 2 added
FIRST = {
    name: pa.schema([field for field in schema if field.name != LATER.get(name)])
    for name, schema in tables.TABLES.items()
}


@pytest.fixture
def old(
    run_row: MakeRow,
    image_row: MakeRow,
    mask_row: MakeRow,
    tmp_path_factory: pytest.TempPathFactory,
) -> Catalog:
    """A catalog as schema version 1 had it, with a finished run ``old`` of one image and its mask."""
    uri = str(tmp_path_factory.mktemp("old") / "catalog")
    with pytest.MonkeyPatch.context() as patched:
        for name, schema in FIRST.items():
            patched.setitem(tables.TABLES, name, schema)
        patched.setattr(store, "SCHEMA_VERSION", 1)
        made = Catalog.create_or_open(uri)
        made.commit([_images(made, "old", image_row("a")), _masks(made, "old", mask_row("a", "cat"))])
        made.publish(run_row(), "old")
    return Catalog.open(uri)


def _images(catalog: Catalog, run_id: str, row: dict[str, Any]) -> FileAdd:
    return write_rows(catalog.uri, "images", run_id, "0", [row])


def _masks(catalog: Catalog, run_id: str, row: dict[str, Any], name: str = "0") -> FileAdd:
    return write_rows(catalog.uri, "masks", run_id, name, [row])


def _columns(catalog: Catalog, table: str) -> list[str]:
    return [field.name for field in DeltaTable(f"{catalog.uri}/{table}").schema().fields]


def test_the_fixture_is_an_earlier_catalog(old: Catalog) -> None:
    (uri,) = old.files("masks")
    assert "entropy" not in pq.read_schema(uri).names
    assert "entropy" not in _columns(old, "masks")
    assert old.runs()[0]["schema_version"] == 1


def test_an_earlier_catalog_reads_with_nulls(old: Catalog) -> None:
    (mask,) = read_files("masks", old.files("masks")).to_pylist()
    assert (mask["label"], mask["entropy"]) == ("cat", None)
    assert read_files("masks", old.files("masks"), ["entropy"]).to_pylist() == [
        {"entropy": None, "run_id": "old"}
    ]
    assert query(old.uri, "SELECT label, entropy, run_id FROM masks").to_pylist() == [
        {"label": "cat", "entropy": None, "run_id": "old"}
    ]
    assert query(old.uri, "SELECT annotator FROM images").to_pylist() == [{"annotator": None}]


def test_an_earlier_catalog_is_written_to_and_its_files_stay(
    old: Catalog, run_row: MakeRow, mask_row: MakeRow, image_row: MakeRow
) -> None:
    before = {uri: pq.read_metadata(uri).num_columns for uri in old.files("masks")}
    old.commit([_masks(old, "new", mask_row("b", "dog") | {"entropy": 0.25})])
    old.commit([_images(old, "new", image_row("b") | {"annotator": "Ada"})])
    version = old.publish(run_row(), "new")
    shown = "SELECT label, entropy FROM masks ORDER BY label"
    assert query(old.uri, shown).to_pylist() == [
        {"label": "cat", "entropy": None},
        {"label": "dog", "entropy": 0.25},
    ]
    assert query(old.uri, shown, version - 1).to_pylist() == [{"label": "cat", "entropy": None}]
    assert query(old.uri, "SELECT key FROM images WHERE annotator = 'Ada'").to_pylist() == [{"key": "b"}]
    assert {uri: pq.read_metadata(uri).num_columns for uri in before} == before
    assert [row["schema_version"] for row in old.runs()] == [2, 1]


def test_other_readers_of_delta_tables_see_the_new_column(old: Catalog, mask_row: MakeRow) -> None:
    old.commit([_masks(old, "new", mask_row("b", "dog") | {"entropy": 0.25})])
    assert _columns(old, "masks")[-1] == "entropy"
    actions = pa.table(DeltaTable(f"{old.uri}/masks").get_add_actions(flatten=True)).to_pylist()
    assert sorted(action["max.entropy"] or -1 for action in actions) == [-1, 0.25]


def test_columns_are_added_once(old: Catalog, mask_row: MakeRow) -> None:
    with ThreadPoolExecutor(4) as threads:
        added = list(threads.map(lambda _: widen(f"{old.uri}/masks", tables.MASKS), range(4)))
    assert sorted(added) == [[], [], [], ["entropy"]]
    version = DeltaTable(f"{old.uri}/masks").version()
    Catalog.open(old.uri).commit([_masks(old, "new", mask_row("b", "dog"))])
    assert DeltaTable(f"{old.uri}/masks").version() == version + 1


def test_a_catalog_of_today_gains_nothing(catalog: Catalog) -> None:
    for name, schema in tables.TABLES.items():
        assert widen(f"{catalog.uri}/{name}", schema) == []
        assert DeltaTable(f"{catalog.uri}/{name}").version() == 0


def test_writers_at_once_widen_and_commit_without_loss(old: Catalog, mask_row: MakeRow) -> None:
    def write(name: str) -> None:
        own = Catalog.open(old.uri)
        own.commit([_masks(own, "new", mask_row(name, "dog") | {"entropy": 0.5}, name)])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, "abcd"))
    assert old.committed("masks", "new") == set("abcd")


def test_a_column_that_must_not_be_null_cannot_be_added(old: Catalog) -> None:
    strict = tables.MASKS.append(pa.field("depth", pa.float32(), nullable=False))
    with pytest.raises(CatalogError, match="has no column 'depth', and earlier rows need one"):
        widen(f"{old.uri}/masks", strict)
    with pytest.raises(CatalogError, match="cannot add columns to"):
        widen(f"{old.uri}/nothing", strict)


def test_a_file_without_a_column_that_it_must_have_is_damaged(
    old: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = tables.MASKS.append(pa.field("depth", pa.float32(), nullable=False))
    monkeypatch.setitem(tables.TABLES, "masks", strict)
    with pytest.raises(CatalogError, match=r"run_id=old/0\.parquet.* it has no column 'depth'"):
        read_files("masks", old.files("masks"))


def test_an_earlier_catalog_without_a_run_opens(
    old: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri = str(tmp_path_factory.mktemp("empty") / "catalog")
    with pytest.MonkeyPatch.context() as patched:
        for name, schema in FIRST.items():
            patched.setitem(tables.TABLES, name, schema)
        Catalog.create_or_open(uri)
    assert widen(f"{Catalog.create_or_open(uri).uri}/images", tables.IMAGES) == ["annotator"]


def test_a_later_catalog_is_refused(old: Catalog, run_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    old.publish(run_row(), "newer")
    monkeypatch.setattr(store, "SCHEMA_VERSION", 1)
    with pytest.raises(CatalogError, match="has schema version 2, this maskmill knows 1; install a newer"):
        Catalog.open(old.uri)


def test_versions_of_tables_stay_pinned_when_columns_come(
    old: Catalog, run_row: MakeRow, mask_row: MakeRow
) -> None:
    pinned = dict(old.runs(1)[0]["table_versions"])
    old.commit([_masks(old, "new", mask_row("b", "dog"))])
    old.publish(run_row(), "new")
    assert old.runs(1)[0]["table_versions"] == pinned
    assert len(old.files("masks", 1)) == 1
