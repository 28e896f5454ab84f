from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs.files import FileAdd, read_files
from maskmill.catalogs.maintenance.log import files_at, read_log
from maskmill.catalogs.maintenance.merging import merged
from maskmill.catalogs.parts import Part, compacted_name, is_compacted, parts_of, read_part
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

Write = Callable[..., FileAdd]
SIZES = {"a": 5000, "b": 0, "c": 1, "d": 17_000, "e": 3}


def _merged(catalog: Catalog, names: list[str]) -> str:
    files = files_at(read_log(catalog.uri, "errors"), len(read_log(catalog.uri, "errors")) - 1)
    chosen = [files[f"run_id=r/{name}.parquet"] for name in names]
    (one,) = merged(catalog.uri, "errors", chosen, 1 << 30)
    catalog.commit([one.add])
    return f"{catalog.uri}/errors/{one.add.path}"


@pytest.fixture
def separate(catalog: Catalog, write_errors: Write) -> dict[str, list[dict[str, Any]]]:
    """Rows by name of files of several row groups and of none."""
    catalog.commit([write_errors(catalog, "r", name, count) for name, count in SIZES.items()])
    files = {Path(uri).stem: uri for uri in catalog.run_files("errors", "r")}
    return {name: read_files("errors", [uri], ["shard_id", "key"]).to_pylist() for name, uri in files.items()}


def _same(rows: list[dict[str, Any]], separate: list[dict[str, Any]]) -> bool:
    return [row | {"run_id": "r"} for row in rows] == separate


def test_the_rows_of_each_source_are_found_again(
    catalog: Catalog, separate: dict[str, list[dict[str, Any]]]
) -> None:
    uri = _merged(catalog, list(SIZES))
    parts = parts_of([uri])
    assert {name: part.rows for name, part in parts.items()} == SIZES
    for name, part in parts.items():
        assert _same(read_part("errors", part, ["shard_id", "key"]).to_pylist(), separate[name])


def test_merged_files_can_be_merged_again(
    catalog: Catalog, separate: dict[str, list[dict[str, Any]]]
) -> None:
    first = Path(_merged(catalog, ["a", "b"])).stem
    second = _merged(catalog, [first, "c"])
    assert Path(second).stem.startswith("a.compact-")
    last = _merged(catalog, ["d", "e"])
    parts = parts_of([second, last])
    assert list(parts) == list(SIZES)
    for name, part in parts.items():
        assert _same(read_part("errors", part, ["shard_id", "key"]).to_pylist(), separate[name])


def test_a_file_of_its_own_is_one_part_and_not_opened(catalog: Catalog) -> None:
    assert parts_of([f"{catalog.uri}/errors/run_id=r/x.parquet"]) == {
        "x": Part(f"{catalog.uri}/errors/run_id=r/x.parquet", "x")
    }
    assert parts_of([]) == {}


def test_the_same_files_give_the_same_merged_file(
    catalog: Catalog, separate: dict[str, list[dict[str, Any]]]
) -> None:
    path = Path(_merged(catalog, list(SIZES)))
    body = path.read_bytes()
    assert Path(_merged(catalog, list(SIZES))) == path
    assert path.read_bytes() == body
    assert sum(map(len, separate.values())) == sum(SIZES.values())


def test_a_missing_merged_file_is_an_error_that_names_it(catalog: Catalog) -> None:
    uri = f"{catalog.uri}/errors/run_id=r/{compacted_name('x', 'f' * 64)}.parquet"
    with pytest.raises(CatalogError, match=r"x\.compact-f{16}\.parquet"):
        parts_of([uri])
    with pytest.raises(CatalogError, match=r"x\.compact-f{16}\.parquet"):
        read_part("errors", Part(uri, "x", 0, 1))


def test_names_of_merged_files_are_told_from_those_of_shards() -> None:
    assert is_compacted(f"s3://b/masks/run_id=r/{compacted_name('00000', 'a' * 64)}.parquet")
    assert not is_compacted("s3://b/masks/run_id=r/00000.parquet")
    assert not is_compacted("s3://b/masks/run_id=r/compact.parquet")
    assert len(compacted_name("x" * 150, json.dumps({"a": 1}))) <= 150
