from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs.delta import FileTable
from maskmill.catalogs.maintenance import compaction as compact_module
from maskmill.catalogs.maintenance import merging
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.verification import verify
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

from .conftest import SHARDS, contents

Label = Callable[..., int]


def test_small_files_become_one_and_every_version_reads_the_same(labelled: Catalog) -> None:
    files, before = labelled.all_files(1), contents(labelled, 1)
    done = compact(labelled.uri)
    assert done.version == labelled.version() == 2
    assert [(t.table, t.files_before, t.files_after) for t in done.tables] == [
        (table, 6, 1) for table in ("images", "masks", "errors")
    ]
    assert done.fields()["files_before"] == 18
    assert {row["table"] for row in done.rows()} == {"images", "masks", "errors"}
    assert contents(labelled, 2) == before
    assert len(labelled.files("masks", 2)) == 1
    assert labelled.all_files(1) == files
    assert contents(labelled, 1) == before
    assert labelled.run("a") == labelled.runs(1)[0] | {
        "table_versions": labelled.runs(2)[0]["table_versions"]
    }
    assert query(labelled.uri, "SELECT count(*) AS n FROM masks").to_pylist() == [{"n": len(before["masks"])}]
    assert verify(labelled.uri).findings == ()


def test_compacting_again_changes_nothing(labelled: Catalog) -> None:
    compact(labelled.uri)
    logs = [FileTable(labelled.uri, table).version() for table in ("images", "masks", "errors", "runs")]
    again = compact(labelled.uri)
    assert again.tables == ()
    assert again.version == 2
    assert logs == [FileTable(labelled.uri, t).version() for t in ("images", "masks", "errors", "runs")]


def test_files_are_merged_up_to_the_wanted_size_and_large_ones_stay(labelled: Catalog) -> None:
    before = contents(labelled, 1)
    size = Path(labelled.files("masks")[0]).stat().st_size
    done = compact(labelled.uri, target_bytes=3 * size)
    masks = next(table for table in done.tables if table.table == "masks")
    assert masks.files_before == 6
    assert 1 <= masks.files_after <= 3
    assert compact(labelled.uri, target_bytes=3 * size).tables == ()
    assert compact(labelled.uri, target_bytes=size).tables == ()
    assert contents(labelled) == before
    compact(labelled.uri)
    assert contents(labelled) == before
    assert len(labelled.files("masks")) == 1


def test_only_finished_runs_are_touched(
    labelled: Catalog, write_shard: Callable[..., None], run_row: Callable[..., dict[str, Any]]
) -> None:
    for shard in SHARDS[:3]:
        write_shard(labelled, "b", shard)
    labelled.publish(run_row("failed", reason="too many errors"), "b")
    compact(labelled.uri)
    assert labelled.committed("images", "b") == set(SHARDS[:3])
    with pytest.raises(CatalogError, match="no finished run 'b'; it has: a"):
        compact(labelled.uri, "b")
    with pytest.raises(CatalogError, match="at least 1"):
        compact(labelled.uri, target_bytes=0)


def test_one_run_of_several_can_be_chosen(labelled: Catalog, label: Label) -> None:
    label(labelled, "b", seed=100)
    done = compact(labelled.uri, "b")
    assert {table.run_id for table in done.tables} == {"b"}
    assert labelled.committed("images", "a") == set(SHARDS)


@pytest.mark.parametrize("step", range(8))
def test_a_compaction_cut_short_anywhere_does_no_harm_and_is_completed(
    labelled: Catalog, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before, calls = contents(labelled, 1), iter(range(100))

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if next(calls) == step:
                raise KeyboardInterrupt
            return function(*args)

        return call

    # Each table writes a file and swaps it in; then the row of the run is written and published.
    monkeypatch.setattr(merging, "put_file", guarded(merging.put_file))
    monkeypatch.setattr(FileTable, "swap", guarded(FileTable.swap))
    monkeypatch.setattr(Catalog, "publish", guarded(Catalog.publish))
    monkeypatch.setattr(FileTable, "replace_run", guarded(FileTable.replace_run))
    with pytest.raises(KeyboardInterrupt):
        compact(labelled.uri)
    monkeypatch.undo()
    assert contents(labelled) == contents(labelled, 1) == before
    assert verify(labelled.uri).ok
    compact(labelled.uri)
    assert contents(labelled) == contents(labelled, 1) == before
    assert len(labelled.files("masks")) == len(labelled.files("images")) == 1
    assert compact(labelled.uri).version == 2


def test_a_run_published_in_between_shows_whole_tables(
    labelled: Catalog, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(labelled, 1)
    original = compact_module._compact_table
    seen = []

    def slow(catalog: Catalog, table: str, *rest: Any) -> Any:
        yield from original(catalog, table, *rest)
        if table == "images":
            seen.append(label(catalog, "b", seed=100))

    monkeypatch.setattr(compact_module, "_compact_table", slow)
    compact(labelled.uri, "a")
    between = contents(labelled, seen[0])
    for table, rows in before.items():
        assert [row for row in between[table] if row["run_id"] == "a"] == rows
        assert len(between[table]) == 2 * len(rows)
    assert verify(labelled.uri).ok


def test_another_run_can_be_labelled_at_the_same_time(labelled: Catalog, label: Label) -> None:
    before, begin = contents(labelled, 1), threading.Barrier(3)

    def at_once(function: Callable[..., Any], *args: Any) -> Any:
        begin.wait()
        return function(*args)

    with ThreadPoolExecutor(3) as threads:
        run = threads.submit(at_once, label, Catalog.open(labelled.uri), "b")
        for done in [threads.submit(at_once, compact, labelled.uri, "a") for _ in range(2)]:
            done.result()
        run.result()
    assert labelled.committed("images", "b") == set(SHARDS)
    after = contents(labelled)
    for table, rows in before.items():
        assert [row for row in after[table] if row["run_id"] == "a"] == rows
        assert sum(row["run_id"] == "b" for row in after[table]) == len(rows)
    assert len([uri for uri in labelled.files("masks") if "run_id=a" in uri]) == 1
    assert verify(labelled.uri).ok


def test_a_source_with_other_rows_than_committed_stops_the_merge(labelled: Catalog) -> None:
    first, second = (Path(uri) for uri in labelled.files("errors")[:2])
    first.write_bytes(Path(labelled.files("images")[0]).read_bytes())
    with pytest.raises(CatalogError, match="cannot read"):
        compact(labelled.uri)
    assert second.exists()
