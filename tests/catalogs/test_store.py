from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs import store
from maskmill.catalogs.files import FileAdd, read_files
from maskmill.catalogs.storage import catalog_uri
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

Write = Callable[..., FileAdd]
MakeRow = Callable[..., dict[str, Any]]


def _stems(uris: list[str]) -> list[str]:
    return [Path(uri).stem for uri in uris]


def _contents(catalog: Catalog, version: int) -> list[dict[str, Any]]:
    return list(read_files("errors", catalog.files("errors", version)).to_pylist())


def test_commit_is_idempotent_by_path(catalog: Catalog, write_errors: Write) -> None:
    adds = [write_errors(catalog, "r", name) for name in ("0", "1")]
    assert catalog.commit(adds) == 2
    assert catalog.commit(adds) == 0
    assert catalog.commit([*adds, write_errors(catalog, "r", "2")]) == 1
    assert catalog.commit([]) == 0
    assert catalog.committed("errors", "r") == {"0", "1", "2"}
    assert catalog.committed("errors", "other") == set()
    assert catalog.committed("masks", "r") == set()


def test_a_file_without_a_commit_does_not_exist(
    catalog: Catalog, write_errors: Write, run_row: MakeRow
) -> None:
    catalog.commit([write_errors(catalog, "r", "0")])
    write_errors(catalog, "r", "1.5")  # the driver dies before it commits this one
    again = Catalog.open(catalog.uri)
    assert again.committed("errors", "r") == {"0"}
    assert _stems(again.files("errors", again.publish(run_row(), "r"))) == ["0"]
    assert again.commit([write_errors(catalog, "r", "1.5")]) == 1
    assert again.committed("errors", "r") == {"0", "1.5"}


def test_a_run_is_invisible_before_it_is_published(
    catalog: Catalog, write_errors: Write, run_row: MakeRow
) -> None:
    catalog.commit([write_errors(catalog, "a", "0")])
    catalog.commit([write_errors(catalog, "b", "0")])
    first = catalog.publish(run_row(), "a")
    assert _stems(catalog.run_files("errors", "b")) == ["0"]
    assert catalog.files("errors") == catalog.files("errors", first) == catalog.run_files("errors", "a")
    catalog.commit([write_errors(catalog, "b", "1")])
    second = catalog.publish(run_row(), "b")
    assert (first, second) == (1, 2)
    assert len(catalog.files("errors")) == 3


def test_an_old_version_reads_the_same_after_later_runs(
    catalog: Catalog, write_errors: Write, run_row: MakeRow
) -> None:
    catalog.commit([write_errors(catalog, "a", "0", count=3)])
    first = catalog.publish(run_row(), "a")
    before = (catalog.all_files(first), catalog.runs(first), _contents(catalog, first))
    for run_id in ("b", "c"):
        catalog.commit([write_errors(catalog, run_id, "0"), write_errors(catalog, run_id, "1")])
        catalog.publish(run_row(), run_id)
    catalog.publish(run_row("failed", reason="taken back"), "a")
    assert (catalog.all_files(first), catalog.runs(first), _contents(catalog, first)) == before
    assert {Path(uri).parent.name for uri in catalog.files("errors")} == {"run_id=b", "run_id=c"}


def test_a_failed_run_shows_its_row_but_not_its_files(
    catalog: Catalog, write_errors: Write, run_row: MakeRow
) -> None:
    catalog.commit([write_errors(catalog, "r", "0")])
    failed = catalog.publish(run_row("failed", reason="too many errors"), "r")
    assert catalog.files("errors", failed) == []
    (row,) = catalog.runs(failed)
    assert (row["run_id"], row["status"], row["reason"]) == ("r", "failed", "too many errors")
    catalog.commit([write_errors(catalog, "r", "1")])
    resumed = catalog.publish(run_row(), "r")
    assert _stems(catalog.files("errors", resumed)) == ["0", "1"]
    assert catalog.files("errors", failed) == []
    assert [row["status"] for row in catalog.runs()] == ["finished"]
    assert len(catalog.files("runs")) == 1


def test_a_published_row_comes_back_with_parsed_json(
    catalog: Catalog, write_errors: Write, run_row: MakeRow
) -> None:
    assert catalog.run("r") is None
    catalog.commit([write_errors(catalog, "r", "0")])
    catalog.publish(run_row(), "r")
    row = catalog.run("r")
    assert row is not None
    assert row["config"] == {"vocabulary": "demo"}
    assert row["counts"] == {"images": 2}
    assert row["table_versions"]["errors"] == 1
    assert row["schema_version"] == store.SCHEMA_VERSION
    assert row["finished_at"] == run_row()["finished_at"]
    assert catalog.run("other") is None


def test_publishing_the_same_row_again_makes_no_version(catalog: Catalog, run_row: MakeRow) -> None:
    assert catalog.publish(run_row(), "r") == catalog.publish(run_row(), "r") == 1
    assert catalog.publish(run_row(counts="{}"), "r") == 2


def test_runs_are_listed_oldest_first(catalog: Catalog, run_row: MakeRow) -> None:
    first = run_row()["finished_at"]
    catalog.publish(run_row(finished_at=first.replace(year=2027)), "a")
    catalog.publish(run_row(), "b")
    assert [row["run_id"] for row in catalog.runs()] == ["b", "a"]


def test_two_drivers_at_once_lose_nothing(catalog: Catalog, write_errors: Write, run_row: MakeRow) -> None:
    def drive(run_id: str) -> None:
        own = Catalog.open(catalog.uri)
        for name in "abc":
            own.commit([write_errors(own, run_id, name)])
        own.publish(run_row(), run_id)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(drive, ("r1", "r2")))
    assert catalog.version() == 2
    assert len(catalog.files("errors")) == 6
    assert len(catalog.files("errors", 1)) == 3


def test_a_catalog_without_a_run_has_no_version(catalog: Catalog) -> None:
    for call in (catalog.version, catalog.runs, lambda: catalog.files("masks")):
        with pytest.raises(CatalogError, match="nothing is published"):
            call()


@pytest.mark.parametrize("version", [-1, 0, 2])
def test_a_version_that_is_not_there_is_an_error(catalog: Catalog, run_row: MakeRow, version: int) -> None:
    catalog.publish(run_row(), "r")
    with pytest.raises(CatalogError, match=f"no version {version}, only 1 to 1"):
        catalog.files("masks", version)


def test_an_unknown_table_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="no table 'segments'"):
        catalog.committed("segments", "r")


def test_a_file_is_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    path.write_text("x")
    for call in (Catalog.open, Catalog.create_or_open):
        with pytest.raises(CatalogError, match="is a file; a catalog is a folder"):
            call(str(path))


@pytest.mark.parametrize("kind", ["missing", "empty", "foreign"])
def test_a_place_without_a_catalog_cannot_be_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "catalog"
    if kind != "missing":
        path.mkdir()
    if kind == "foreign":
        (path / "thesis.tex").write_text("x")
    with pytest.raises(CatalogError, match="no catalog at"):
        Catalog.open(str(path))
    if kind == "foreign":
        with pytest.raises(CatalogError, match=r"holds 'thesis\.tex' and is no catalog"):
            Catalog.create_or_open(str(path))
        assert [p.name for p in path.iterdir()] == ["thesis.tex"]
    else:
        Catalog.create_or_open(str(path))
        Catalog.open(str(path))


def test_a_catalog_whose_making_was_cut_short_is_completed(tmp_path: Path, run_row: MakeRow) -> None:
    whole = Catalog.create_or_open(str(tmp_path / "c"))
    (tmp_path / "c" / "runs").rename(tmp_path / "runs")
    (tmp_path / "c" / ".DS_Store").write_text("x")
    with pytest.raises(CatalogError, match="no catalog at"):
        Catalog.open(whole.uri)
    assert Catalog.create_or_open(whole.uri).publish(run_row(), "r") == 1


def test_other_files_beside_the_tables_do_not_disturb(catalog: Catalog, run_row: MakeRow) -> None:
    catalog.publish(run_row(), "r")
    (Path(catalog.uri) / "report.html").write_text("x")
    assert Catalog.create_or_open(catalog.uri).version() == 1


def test_a_catalog_of_a_newer_maskmill_is_refused(
    catalog: Catalog, run_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SCHEMA_VERSION", 7)
    catalog.publish(run_row(), "r")
    monkeypatch.undo()
    for call in (Catalog.open, Catalog.create_or_open):
        with pytest.raises(
            CatalogError, match=f"has schema version 7, this maskmill knows {store.SCHEMA_VERSION}"
        ):
            call(catalog.uri)


def test_a_row_that_does_not_fit_is_refused_and_publishes_nothing(catalog: Catalog, run_row: MakeRow) -> None:
    with pytest.raises(CatalogError, match="status must not be null"):
        catalog.publish(run_row() | {"status": None}, "r")
    with pytest.raises(CatalogError, match="nothing is published"):
        catalog.version()


def test_uris_are_brought_into_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert catalog_uri("a/../c/") == catalog_uri(f"file://{tmp_path}/c") == f"{tmp_path}/c"
    with pytest.raises(CatalogError, match="cannot lie at 'memory://x'"):
        catalog_uri("memory://x")


@pytest.mark.parametrize("name", ["a%20b", "a\\b", "a\nb"])
def test_paths_that_delta_tables_would_misread_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogError, match="choose a path without"):
        Catalog.create_or_open(f"{tmp_path}/{name}")
    assert list(tmp_path.iterdir()) == []


def test_table_versions_are_stored_as_json(catalog: Catalog, run_row: MakeRow) -> None:
    catalog.publish(run_row(), "r")
    (raw,) = read_files("runs", catalog.files("runs"))["table_versions"].to_pylist()
    assert set(json.loads(raw)) == set(store.TABLES) - {"runs"}
