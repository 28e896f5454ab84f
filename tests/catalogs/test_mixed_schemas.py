"""A run that an earlier maskmill began and one of today finished, and so has files of both schemas."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from earlier import schema_version
from sql_catalog import image, mask, publish

from maskmill.catalogs.files import FileAdd, read_files, write_rows
from maskmill.catalogs.maintenance import compact, diff, info, vacuum, verify
from maskmill.catalogs.parts import parts_of, read_part
from maskmill.catalogs.query import query
from maskmill.catalogs.sql_script import sql_script
from maskmill.catalogs.store import Catalog

RUN = "label-1"
ENTROPIES = {"a": None, "b": None, "c": 0.25, "d": 0.75}


def _shard(catalog: Catalog, key: str) -> list[FileAdd]:
    entropy = {} if ENTROPIES[key] is None else {"entropy": ENTROPIES[key]}
    masks, images = [mask(key, "cat", (0, 0, 9, 9), 0.5, **entropy)], [image(key, 1)]
    return [
        write_rows(catalog.uri, table, RUN, f"shard-{key}", rows)
        for table, rows in (("masks", masks), ("images", images))
    ]


@pytest.fixture(params=[1, 2])
def mixed(tmp_path: Path, request: pytest.FixtureRequest) -> Catalog:
    """Shards a and b in files of the earlier schema, c and d of today's; masks of 2 are as today."""
    uri = str(tmp_path / "c")
    with schema_version(request.param):
        before = Catalog.create_or_open(uri)
        for key in "ab":
            before.commit(_shard(before, key))
    catalog = Catalog.open(uri)
    for key in "cd":
        catalog.commit(_shard(catalog, key))
    publish(catalog, RUN, 1, {})
    held = ["entropy" in pq.read_schema(file).names for file in catalog.files("masks")]
    assert held == [request.param == 2, request.param == 2, True, True]
    return catalog


def entropies(catalog: Catalog) -> dict[str, float | None]:
    rows = read_files("masks", catalog.files("masks"), ["key", "entropy"]).to_pylist()
    return {row["key"]: row["entropy"] for row in rows}


def test_files_and_parts_of_both_schemas_are_read(mixed: Catalog) -> None:
    assert entropies(mixed) == ENTROPIES
    parts = parts_of(mixed.files("masks"))
    read = {
        name: read_part("masks", part, ["entropy"])["entropy"].to_pylist() for name, part in parts.items()
    }
    assert read == {f"shard-{key}": [value] for key, value in ENTROPIES.items()}


def test_a_mixed_run_is_whole_before_and_after_its_files_are_merged(mixed: Catalog) -> None:
    before = mixed.version()
    assert verify(mixed.uri).findings == ()
    assert compact(mixed.uri).fields()["files_after"] == 2
    assert entropies(mixed) == ENTROPIES
    assert {name.removeprefix("shard-") for name in parts_of(mixed.files("masks"))} == set(ENTROPIES)
    assert verify(mixed.uri).findings == ()
    changed = diff(mixed.uri, before)
    assert (changed.masks.added, changed.masks.removed, changed.masks.changed) == (0, 0, 0)
    assert {table.table: table.rows for table in info(mixed.uri).tables}["prototypes"] == 0
    assert len(vacuum(mixed.uri, keep_days=0, dry_run=False).removed) == 8
    assert entropies(mixed) == ENTROPIES


@pytest.mark.parametrize("view", ["masks", "latest_masks"])
def test_sql_over_both_schemas_is_right_whatever_is_merged(mixed: Catalog, view: str) -> None:
    statement = f"SELECT key, entropy FROM {view} ORDER BY key"
    expected = [{"key": key, "entropy": value} for key, value in ENTROPIES.items()]
    assert query(mixed.uri, statement).to_pylist() == expected
    with duckdb.connect() as plain:
        plain.execute(sql_script(mixed.uri))
        assert plain.execute(statement).fetchall() == list(ENTROPIES.items())
    compact(mixed.uri)
    assert query(mixed.uri, statement).to_pylist() == expected


def test_a_merged_file_beside_one_that_was_too_large_to_merge_is_read(mixed: Catalog) -> None:
    """The merged file has all columns of today, the other may not; both hold rows of the earlier schema."""
    files = {Path(file).stem: Path(file).stat().st_size for file in mixed.files("masks")}
    late = Catalog.open(mixed.uri)
    with schema_version(1):
        rows = [mask(f"e{i}", "cat", (0, 0, 9 + i % 30, 9), 0.5) for i in range(400)]
        late.commit([write_rows(late.uri, "masks", RUN, "shard-e", rows)])
    publish(late, RUN, 2, {})
    compact(late.uri, target_bytes=2 * max(files.values()) + 1)
    found = query(late.uri, "SELECT count(*) AS n, count(entropy) AS known, sum(entropy) AS s FROM masks")
    assert found.to_pylist() == [{"n": 404, "known": 2, "s": 1.0}]
