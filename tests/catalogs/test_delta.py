from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from deltalake import DeltaTable

from maskmill.catalogs.delta import FileTable, storage_options
from maskmill.catalogs.files import FileAdd
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.tables import ERRORS, TABLES


def _add(name: str, run_id: str = "r", size: int = 10) -> FileAdd:
    stats = json.dumps({"numRecords": 1})
    return FileAdd("errors", f"run_id={run_id}/{name}.parquet", 1, size, run_id, stats)


def _append_each(uri: str, run_id: str, names: list[str]) -> int:
    table = FileTable(uri, "errors")
    return sum(table.append([_add(name, run_id)]) for name in names)


def _replace_each(uri: str, run_id: str, names: list[str]) -> None:
    for name in names:
        FileTable(uri, "runs").replace_run(_add(name, run_id))


@pytest.fixture
def table(tmp_path: Path) -> FileTable:
    made = FileTable(str(tmp_path / "a b=ü [x] 50%"), "errors")
    made.create()
    return made


def test_every_table_can_be_created_and_read_back(tmp_path: Path) -> None:
    for name, schema in TABLES.items():
        table = FileTable(str(tmp_path), name)
        assert not table.exists()
        table.create()
        table.create()
        assert table.exists()
        assert table.version() == 0
        assert table.sizes() == {}
        fields = DeltaTable(table.uri).schema().fields
        assert [(f.name, f.nullable) for f in fields] == [
            *((f.name, f.nullable) for f in schema),
            ("run_id", False),
        ]


def test_old_versions_are_kept_for_ever(table: FileTable) -> None:
    configuration = DeltaTable(table.uri).metadata().configuration
    assert configuration["delta.enableExpiredLogCleanup"] == "false"
    assert configuration["delta.logRetentionDuration"] == "interval 36500 days"
    for number in range(110):  # beyond the checkpoint at 100, where cleaning up would happen
        table.append([_add(f"{number:03d}")])
    assert [len(table.sizes(version)) for version in (0, 1, 57, 99, 100, 110)] == [0, 1, 57, 99, 100, 110]


def test_appending_the_same_file_again_changes_nothing(table: FileTable) -> None:
    assert table.append([_add("0"), _add("1"), _add("1")]) == 2
    assert table.append([_add("1"), _add("2")]) == 1
    assert table.append([_add("0"), _add("2")]) == 0
    assert table.version() == 2
    assert list(table.sizes()) == [f"run_id=r/{name}.parquet" for name in "012"]


def test_a_file_that_was_written_anew_is_recorded_with_its_new_size(table: FileTable) -> None:
    table.append([_add("0", size=10)])
    assert table.append([_add("0", size=11)]) == 0
    assert table.sizes() == {"run_id=r/0.parquet": 11}


def test_replacing_a_run_leaves_other_runs_and_older_versions_alone(table: FileTable) -> None:
    table.append([_add("0", "a"), _add("0", "ab")])
    table.replace_run(_add("1", "a"))
    table.replace_run(_add("1", "a"))
    assert table.version() == 2
    assert list(table.sizes()) == ["run_id=a/1.parquet", "run_id=ab/0.parquet"]
    assert list(table.sizes(1)) == ["run_id=a/0.parquet", "run_id=ab/0.parquet"]


def test_threads_that_commit_at_once_all_succeed(table: FileTable) -> None:
    uri = table.uri.rpartition("/")[0]
    FileTable(uri, "runs").create()
    with ThreadPoolExecutor(4) as threads:
        appended = [threads.submit(_append_each, uri, f"r{i}", list("abc")) for i in range(2)]
        replaced: list[Future[None]] = [
            threads.submit(_replace_each, uri, "same" if i < 2 else "other", [f"{i}a", f"{i}b"])
            for i in range(3)
        ]
        assert [future.result() for future in appended] == [3, 3]
        assert [future.result() for future in replaced] == [None] * 3
    assert len(table.sizes()) == 6
    left = list(FileTable(uri, "runs").sizes())
    assert left[0] == "run_id=other/2b.parquet"
    assert left[1:] in (["run_id=same/0b.parquet"], ["run_id=same/1b.parquet"])


def test_processes_that_commit_at_once_all_succeed(table: FileTable) -> None:
    uri = table.uri.rpartition("/")[0]
    # A forked child cannot use the runtime that deltalake has started in its parent.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        work = [processes.submit(_append_each, uri, run_id, list("abcdef")) for run_id in ("r1", "r2")]
        assert [future.result() for future in work] == [6, 6]
    assert len(table.sizes()) == 12
    assert table.version() == 12


@pytest.mark.parametrize("spoil", ["missing", "not a log"])
def test_a_missing_or_damaged_table_is_an_error(tmp_path: Path, spoil: str) -> None:
    table = FileTable(str(tmp_path), "errors")
    if spoil != "missing":
        table.create()
        next((tmp_path / "errors" / "_delta_log").glob("*.json")).write_text("{]")
    calls: list[Callable[[], object]] = [table.version, table.sizes, lambda: table.append([_add("0")])]
    for call in calls:
        with pytest.raises(CatalogError, match="errors"):
            call()


def test_a_version_that_is_not_there_is_an_error(table: FileTable) -> None:
    with pytest.raises(CatalogError, match="cannot open"):
        table.sizes(7)


def test_an_endpoint_of_ones_own_is_passed_on_for_s3_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert storage_options("s3://bucket/x") is None
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://minio.example")
    assert storage_options("s3://b/x") == {
        "AWS_ENDPOINT_URL": "https://minio.example",
        "AWS_ALLOW_HTTP": "false",
    }
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")
    assert storage_options("s3://b/x") == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_ALLOW_HTTP": "true",
    }
    assert storage_options("/local/x") is None


def test_the_schema_of_a_table_has_the_run_besides_its_own_columns(table: FileTable) -> None:
    names = [field.name for field in DeltaTable(table.uri).schema().fields]
    assert names == [*ERRORS.names, "run_id"]
