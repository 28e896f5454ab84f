from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs.delta import FileTable
from maskmill.catalogs.files import read_files, write_rows
from maskmill.catalogs.maintenance import difference
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.difference import Changes, diff
from maskmill.catalogs.maintenance.scratch import rows_of
from maskmill.catalogs.maintenance.tagging import tag
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

RunRow = Callable[..., dict[str, Any]]


def test_a_run_more_adds_its_masks(labelled: Catalog, label: Callable[..., int]) -> None:
    tag(labelled.uri, "paper", 1)
    label(labelled, "b", ["00000"], seed=100)
    found = diff(labelled.uri, "paper")
    assert (found.first, found.second) == (1, 2)
    assert (found.runs_added, found.runs_removed, found.runs_changed) == (("b",), (), ())
    assert (found.images, found.masks) == (Changes(added=2), Changes(added=4))
    assert found.labels == {"cat": Changes(added=2), "dog": Changes(added=2)}
    assert (found.labels_added, found.labels_removed) == ((), ())
    back = diff(labelled.uri, 2, 1)
    assert (back.runs_removed, back.masks) == (("b",), Changes(removed=4))
    assert found.rows()[0] == {"label": "cat", "added": 2, "removed": 0, "changed": 0}
    assert found.fields()["masks_added"] == 4


def test_compacted_files_are_no_difference(labelled: Catalog) -> None:
    compact(labelled.uri)
    found = diff(labelled.uri, 1, 2)
    assert found.images == found.masks == Changes()
    assert found.labels == {}


def test_files_that_did_not_change_are_not_compared(
    labelled: Catalog, label: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    label(labelled, "b", ["00000"], seed=100)
    read: list[str] = []

    def watched(uris: Sequence[str], columns: Sequence[str]) -> str:
        read.extend(uri for uri in uris if "rle" in columns)
        return rows_of(uris, columns)

    monkeypatch.setattr(difference, "rows_of", watched)
    diff(labelled.uri, 1, 2)
    assert len(read) == 1
    assert "run_id=b" in read[0]


def test_a_run_that_is_taken_back_takes_its_rows_with_it(labelled: Catalog, run_row: RunRow) -> None:
    labelled.publish(run_row("failed", reason="taken back"), "a")
    labelled.publish(run_row(), "a")
    taken_back = diff(labelled.uri, 1, 2)
    assert taken_back.runs_changed == (("a", "finished", "failed"),)
    assert (taken_back.images, taken_back.masks) == (Changes(removed=12), Changes(removed=24))
    assert taken_back.labels_removed == ("cat", "dog")
    again = diff(labelled.uri, 2, 3)
    assert (again.images, again.masks) == (Changes(added=12), Changes(added=24))
    assert again.labels_added == ("cat", "dog")
    assert diff(labelled.uri, 1, 3).rows() == []


def test_changed_content_is_told_from_new_rows(labelled: Catalog, run_row: RunRow) -> None:
    rows = read_files("masks", labelled.files("masks", 1)[:1]).drop_columns(["run_id"]).to_pylist()
    for version, name in ((2, "old"), (3, "new")):
        FileTable(labelled.uri, "masks").replace_run(write_rows(labelled.uri, "masks", "x", name, rows))
        assert labelled.publish(run_row(seconds=version), "x") == version
        rows[0]["score"] = 0.0
        rows[1]["label"] = "fox"
    found = diff(labelled.uri, 2, 3)
    assert found.masks == Changes(added=1, removed=1, changed=1)
    assert found.labels == {"cat": Changes(changed=1), "dog": Changes(removed=1), "fox": Changes(added=1)}
    assert (found.labels_added, found.labels_removed) == (("fox",), ())


def test_a_file_that_is_gone_is_named(labelled: Catalog, label: Callable[..., int]) -> None:
    label(labelled, "b", ["00000"], seed=100)
    Path(next(uri for uri in labelled.files("masks") if "run_id=b" in uri)).unlink()
    with pytest.raises(CatalogError, match="run_id=b"):
        diff(labelled.uri, 1, 2)


def test_a_version_that_is_not_there_is_an_error(labelled: Catalog) -> None:
    with pytest.raises(CatalogError, match="no version 2"):
        diff(labelled.uri, 1, 2)
