from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from maskmill.catalogs.delta import FileTable
from maskmill.catalogs.files import read_files, write_rows
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.findings import Finding
from maskmill.catalogs.maintenance.log import read_log
from maskmill.catalogs.maintenance.pin_checks import log_findings
from maskmill.catalogs.maintenance.verification import verify
from maskmill.catalogs.store import Catalog, Snapshot
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.history import TABLES_SINCE

RunRow = Callable[..., dict[str, Any]]
LACKING = (
    "lacking_masks",
    "masks/run_id=a",
    "24 masks of 12 images are not there, the first of image_id=id-00000-0",
)


def _found(catalog: Catalog, version: int | None = None) -> list[tuple[str, str, str]]:
    return [(f.code, f.place, f.detail) for f in verify(catalog.uri, version).findings]


def _emptied(catalog: Catalog, table: str) -> Path:
    """Put a new table, with no files, in the place of one that a version pins."""
    folder = Path(catalog.uri) / table
    shutil.rmtree(folder)
    FileTable(catalog.uri, table).create()
    return folder


def test_a_log_shorter_than_the_pin_is_a_fault(labelled: Catalog) -> None:
    _emptied(labelled, "masks")
    short = "it ends at version 0, catalog version 1 shows version 6 of the table"
    assert _found(labelled) == [("short_log", "masks/_delta_log", short), LACKING]
    assert not verify(labelled.uri).ok


@pytest.mark.parametrize("commits", [6, 9])
def test_a_table_with_as_many_commits_and_other_files_is_a_fault(labelled: Catalog, commits: int) -> None:
    _emptied(labelled, "masks")
    for i in range(commits):
        labelled.commit([write_rows(labelled.uri, "masks", "other", f"{i}", [])])
    assert _found(labelled) == [LACKING]


def test_a_table_that_another_tool_wrote_is_a_fault(labelled: Catalog, tmp_path: Path) -> None:
    folder = Path(labelled.uri) / "masks"
    shutil.rmtree(folder)
    write_deltalake(str(tmp_path / "other"), pa.table({"x": [1, 2]}))
    shutil.move(tmp_path / "other", folder)
    assert [code for code, _, _ in _found(labelled)] == ["short_log", "lacking_masks"]


def test_a_log_that_lost_its_last_commits_is_a_fault(labelled: Catalog) -> None:
    last = max((Path(labelled.uri) / "masks" / "_delta_log").glob("*.json"))
    last.unlink()
    found = {code: detail for code, _, detail in _found(labelled)}
    assert found.keys() == {"short_log", "lacking_masks", "orphan_file"}
    assert found["short_log"] == "it ends at version 5, catalog version 1 shows version 6 of the table"
    assert found["lacking_masks"].startswith("4 masks of 2 images are not there")


def test_versions_before_the_loss_stay_whole(labelled: Catalog, label: Callable[..., int]) -> None:
    assert label(labelled, "b", seed=100) == 2
    for lost in sorted((Path(labelled.uri) / "masks" / "_delta_log").glob("*.json"))[8:]:
        lost.unlink()
    assert all(code == "orphan_file" for code, _, _ in _found(labelled, 1))
    assert {code for code, _, _ in _found(labelled, 2)} == {"short_log", "lacking_masks", "orphan_file"}


def test_a_table_newer_than_the_catalog_is_no_fault_and_one_that_got_lost_is(
    labelled: Catalog, run_row: RunRow
) -> None:
    for table in TABLES_SINCE:
        shutil.rmtree(Path(labelled.uri) / table)
        assert read_log(labelled.uri, table) == []
    assert _found(labelled) == []
    labelled.commit([write_rows(labelled.uri, "prototypes", "p", "0", [])])
    labelled.publish(run_row(kind="prototypes"), "p")
    assert _found(labelled) == []
    shutil.rmtree(Path(labelled.uri) / "prototypes")
    lost = "it is not there, catalog version 2 shows version 1 of the table"
    assert _found(labelled) == [("short_log", "prototypes/_delta_log", lost)]
    assert _found(labelled, 1) == []


def test_a_table_that_was_there_from_the_first_cannot_go_unnoticed(labelled: Catalog) -> None:
    shutil.rmtree(Path(labelled.uri) / "captions")
    with pytest.raises(CatalogError, match="captions"):
        verify(labelled.uri)


def test_a_pin_is_the_highest_of_all_runs() -> None:
    rows = tuple({"table_versions": {"masks": n}} for n in (2, 1))
    assert list(log_findings({"images": [], "masks": []}, Snapshot(4, rows))) == [
        Finding(
            "short_log",
            "masks/_delta_log",
            "it is not there, catalog version 4 shows version 2 of the table",
        )
    ]


def test_masks_that_images_count_and_no_file_has_are_found(labelled: Catalog, run_row: RunRow) -> None:
    for name in ("images", "masks"):
        rows = read_files(name, labelled.files(name, 1)[:1]).drop_columns(["run_id"]).to_pylist()
        dropped = rows[1:] if name == "masks" else rows
        labelled.commit([write_rows(labelled.uri, name, "odd", "00000", dropped)])
    labelled.publish(run_row(), "odd")
    said = "1 masks of 1 images are not there, the first of image_id=id-00000-0"
    assert _found(labelled) == [("lacking_masks", "masks/run_id=odd", said)]
    compact(labelled.uri)
    assert _found(labelled) == [("lacking_masks", "masks/run_id=odd", said)]


def test_a_lost_file_of_masks_is_one_fault_and_not_two(labelled: Catalog) -> None:
    Path(labelled.files("masks")[0]).unlink()
    assert [code for code, _, _ in _found(labelled)] == ["missing_file"]
