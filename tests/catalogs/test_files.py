from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskmill.catalogs import storage
from maskmill.catalogs.files import ROW_GROUP, read_files, run_of, write_rows
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.tables import ERRORS, MASKS, STUDENTS


def _error(key: str | None = "k", detail: str = "d") -> dict[str, Any]:
    return {"stage": "s", "corpus": "c", "shard_id": "0", "key": key, "reason": "r", "detail": detail}


def _student(loss: float) -> dict[str, Any]:
    names = {"student_id": "s", "label_run_id": "r", "weights_uri": "w", "weights_sha256": "ab"}
    numbers = {"catalog_version": 1, "images": 10, "steps": 5, "final_loss": loss, "seconds": 1.0}
    return names | numbers | {"classes": ["background"]}


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [_error("a"), _error(None)]
    add = write_rows(str(tmp_path), "errors", "label-1", "00012", rows)
    path = tmp_path / "errors" / "run_id=label-1" / "00012.parquet"
    assert (add.path, add.rows, add.size) == ("run_id=label-1/00012.parquet", 2, path.stat().st_size)
    assert pq.ParquetFile(path).schema_arrow.equals(ERRORS)
    read = read_files("errors", [str(path)])
    assert read.to_pylist() == [row | {"image_id": None, "run_id": "label-1"} for row in rows]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [_error(str(i)) for i in range(100)]
    bodies = []
    for run in ("a", "b"):
        write_rows(
            str(tmp_path), "errors", run, "0", rows if run == "a" else pa.Table.from_pylist(rows, ERRORS)
        )
        bodies.append((tmp_path / "errors" / f"run_id={run}" / "0.parquet").read_bytes())
    assert bodies[0] == bodies[1]


def test_a_file_without_rows_keeps_its_schema(tmp_path: Path) -> None:
    add = write_rows(str(tmp_path), "masks", "r", "0", [])
    assert add.rows == 0
    read = read_files("masks", [f"{tmp_path}/masks/{add.path}"])
    assert read.num_rows == 0
    assert read.schema.names == [*MASKS.names, "run_id"]


def test_masks_are_compressed_in_groups_without_a_dictionary_of_blobs(tmp_path: Path) -> None:
    rows = ROW_GROUP + 1
    columns = {f.name: pa.nulls(rows, f.type).fill_null(_filler(f.type)) for f in MASKS}
    add = write_rows(str(tmp_path), "masks", "r", "0", pa.table(columns, MASKS))
    metadata = pq.read_metadata(tmp_path / "masks" / add.path)
    group = metadata.row_group(0)
    chunks = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert metadata.num_row_groups == 2
    assert not any("DICTIONARY" in encoding for encoding in chunks["rle"].encodings)
    assert any("DICTIONARY" in encoding for encoding in chunks["label"].encodings)
    assert not chunks["rle"].is_stats_set
    assert {chunk.compression for chunk in chunks.values()} == {"ZSTD"}


def _filler(kind: pa.DataType) -> Any:
    if pa.types.is_binary(kind):
        return b"12"
    return "x" if pa.types.is_string(kind) else pa.scalar(1).cast(kind)


def test_statistics_cover_numbers_and_short_texts(tmp_path: Path) -> None:
    rows = [_error("b"), _error(None), _error("a", "x" * 100)]
    stats = json.loads(write_rows(str(tmp_path), "errors", "r", "0", rows).stats)
    assert stats["numRecords"] == 3
    assert (stats["minValues"]["key"], stats["maxValues"]["key"], stats["nullCount"]["key"]) == ("a", "b", 1)
    assert "detail" not in stats["minValues"]
    assert "image_id" not in stats["minValues"]
    endless = json.loads(write_rows(str(tmp_path), "students", "r", "0", [_student(np.inf)]).stats)
    assert "final_loss" not in endless["maxValues"]
    assert endless["maxValues"]["steps"] == 5
    assert STUDENTS.field("final_loss").name in endless["nullCount"]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"stage": "s"}], "corpus, shard_id, reason, detail must not be null"),
        ([_error() | {"colour": "red", "area": 3}], "no column area, colour"),
        ([_error() | {"detail": 3}], "do not fit"),
        ([_error() | {"detail": "\ud800"}], "do not fit"),
        (pa.table({"stage": ["s"]}), "do not fit"),
        (pa.table({"colour": ["s"]}), "no column colour"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, rows: Any, complaint: str) -> None:
    with pytest.raises(CatalogError, match=complaint):
        write_rows(str(tmp_path), "errors", "r", "0", rows)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", ".a", "a%2f", "ü", "a\n", "x" * 151])
def test_names_that_cannot_stand_in_a_path_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogError, match="run id"):
        write_rows(str(tmp_path), "errors", name, "0", [])
    with pytest.raises(CatalogError, match="file name"):
        write_rows(str(tmp_path), "errors", "r", name, [])


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no table 'segments'; there are images, "):
        write_rows(str(tmp_path), "segments", "r", "0", [])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(str(tmp_path), "errors", "r", "0", [_error("old")])
    path = tmp_path / "errors" / "run_id=r" / "0.parquet"
    before = path.read_bytes()

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(CatalogError, match="No space left on device"):
        write_rows(str(tmp_path), "errors", "r", "0", [_error("new")])
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["0.parquet"]


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    good = f"{tmp_path}/errors/{write_rows(str(tmp_path), 'errors', 'r', '0', [_error()]).path}"
    bad = tmp_path / "errors" / "run_id=r" / "1.parquet"
    with pytest.raises(CatalogError, match=r"run_id=r/1\.parquet"):
        read_files("errors", [good, str(bad)])
    bad.write_bytes(Path(good).read_bytes()[:-20])
    with pytest.raises(CatalogError, match=r"run_id=r/1\.parquet"):
        read_files("errors", [good, str(bad)])


def test_columns_can_be_chosen_and_files_keep_their_order(tmp_path: Path) -> None:
    adds = [write_rows(str(tmp_path), "errors", run, "0", [_error(run)]) for run in ("b", "a")]
    read = read_files("errors", [f"{tmp_path}/errors/{add.path}" for add in adds], ["key"])
    assert read.to_pylist() == [{"key": "b", "run_id": "b"}, {"key": "a", "run_id": "a"}]
    assert read_files("errors", [], ["key"]).schema.names == ["key", "run_id"]


def test_the_run_is_the_last_folder_of_a_path() -> None:
    assert run_of("s3://b/run_id=no/errors/run_id=label-1/0.parquet") == "label-1"
