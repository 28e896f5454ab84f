"""Catalogs that an earlier maskmill wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from earlier import schema_version
from prototype_rows import prototype

from maskmill.catalogs import store
from maskmill.catalogs.evolution import widen
from maskmill.catalogs.files import FileAdd, read_files, run_of, write_rows
from maskmill.catalogs.prototypes import append_prototypes
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas import tables
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.history import TABLES_SINCE

MakeRow = Callable[..., dict[str, Any]]


@pytest.fixture
def old(
    run_row: MakeRow,
    image_row: MakeRow,
    mask_row: MakeRow,
    tmp_path_factory: pytest.TempPathFactory,
) -> Catalog:
    """A catalog as schema version 1 had it, with a finished run ``old`` of one image and its mask."""
    uri = str(tmp_path_factory.mktemp("old") / "catalog")
    with schema_version(1):
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
    assert [row["schema_version"] for row in old.runs()] == [3, 1]


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
    files = old.files("masks")
    monkeypatch.setitem(tables.TABLES, "masks", strict)
    with pytest.raises(CatalogError, match=r"run_id=old/0\.parquet.* it has no column 'depth'"):
        read_files("masks", files)


def test_an_earlier_catalog_without_a_run_opens(
    old: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri = str(tmp_path_factory.mktemp("empty") / "catalog")
    with schema_version(1):
        Catalog.create_or_open(uri)
    assert widen(f"{Catalog.create_or_open(uri).uri}/images", tables.IMAGES) == ["annotator"]


def test_a_later_catalog_is_refused(old: Catalog, run_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    old.publish(run_row(), "newer")
    monkeypatch.setattr(store, "SCHEMA_VERSION", 1)
    with pytest.raises(CatalogError, match="has schema version 3, this maskmill knows 1; install a newer"):
        Catalog.open(old.uri)


def test_versions_of_tables_stay_pinned_when_columns_come(
    old: Catalog, run_row: MakeRow, mask_row: MakeRow
) -> None:
    pinned = dict(old.runs(1)[0]["table_versions"])
    old.commit([_masks(old, "new", mask_row("b", "dog"))])
    old.publish(run_row(), "new")
    assert old.runs(1)[0]["table_versions"] == pinned
    assert len(old.files("masks", 1)) == 1


@pytest.mark.parametrize("number", [1, 2])
def test_a_table_that_came_later_is_empty_until_something_is_written_to_it(
    number: int, run_row: MakeRow, image_row: MakeRow, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri = str(tmp_path_factory.mktemp("old") / "catalog")
    with schema_version(number):
        made = Catalog.create_or_open(uri)
        made.commit([_images(made, "old", image_row("a"))])
        made.publish(run_row(), "old")
    catalog = Catalog.open(uri)
    assert sorted(path.name for path in Path(uri).iterdir()) == sorted(set(tables.TABLES) - set(TABLES_SINCE))
    assert query(uri, "FROM prototypes").num_rows == query(uri, "FROM prototype_names").num_rows == 0
    assert catalog.files("prototypes") == catalog.run_files("prototypes", "old") == []
    catalog.publish(run_row(kind="filter"), "another")
    assert append_prototypes(catalog, "new", [prototype("p1")]) == 1
    version = catalog.publish(run_row(kind="prototypes"), "new")
    found = query(uri, "SELECT prototype_id, run_id FROM prototypes").to_pylist()
    assert found == [{"prototype_id": "p1", "run_id": "new"}]
    assert query(uri, "FROM prototypes", version - 1).num_rows == 0


def test_a_lost_table_that_came_later_is_damage(catalog: Catalog, run_row: MakeRow) -> None:
    append_prototypes(catalog, "new", [prototype("p1")])
    catalog.publish(run_row(kind="prototypes"), "new")
    shutil.rmtree(f"{catalog.uri}/prototypes")
    with pytest.raises(CatalogError, match=r"/prototypes. is missing: the catalog is damaged"):
        catalog.files("prototypes")


def test_an_earlier_catalog_takes_evaluations_of_today(old: Catalog, run_row: MakeRow) -> None:
    judged = {"subject": "teacher", "subject_id": "s", "protocol": "p", "vocabulary": "v", "images": 1}
    where = {"vocabulary_hash": "h", "dataset_uri": "x", "miou": 0.5, "pixel_accuracy": 0.5, "classes": []}
    later = {"dataset": "voc", "mode": "paper", "weights": "{}", "details": '{"resize": 448}'}
    metrics = [{"name": "harmonic_miou", "value": 0.25}]
    with schema_version(2):
        old.commit([write_rows(old.uri, "evaluations", "before", "0", [judged | where])])
        old.publish(run_row(kind="evaluate"), "before")
    now = [judged | where | later | {"metrics": metrics}]
    Catalog.open(old.uri).commit([write_rows(old.uri, "evaluations", "now", "0", now)])
    Catalog.open(old.uri).publish(run_row(kind="evaluate"), "now")
    found = query(old.uri, "SELECT dataset, mode, metrics FROM evaluations ORDER BY dataset").to_pylist()
    assert found == [
        {"dataset": "voc", "mode": "paper", "metrics": metrics},
        {"dataset": None, "mode": None, "metrics": None},
    ]


def test_the_log_tells_what_a_file_holds(old: Catalog, run_row: MakeRow, mask_row: MakeRow) -> None:
    old.commit([_masks(old, "new", mask_row("b", "dog"))])
    old.publish(run_row(), "new")
    by_run = {run_of(uri): number for uri, number in old.schemas().items() if "/masks/" in uri}
    assert by_run == {"old": 1, "new": 2}
    assert {number for uri, number in old.schemas(1).items() if "/masks/" in uri} == {1}
