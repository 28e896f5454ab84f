from __future__ import annotations

import pyarrow as pa
import pytest

from maskmill.schemas.history import ADDED
from maskmill.schemas.tables import PARTITION, TABLES


@pytest.mark.parametrize("name", TABLES)
def test_no_table_stores_its_partition_or_a_column_twice(name: str) -> None:
    schema = TABLES[name]
    assert PARTITION not in schema.names
    assert len(set(schema.names)) == len(schema.names)


def test_a_row_of_every_image_table_carries_its_identity() -> None:
    for name in ("images", "captions", "masks"):
        assert TABLES[name].names[:4] == ["image_id", "corpus", "key", "shard_id"]


def test_columns_of_later_versions_come_last_and_may_be_null() -> None:
    for table in TABLES:
        added = [name for version in sorted(ADDED) for name in ADDED[version].get(table, ())]
        assert TABLES[table].names[len(TABLES[table].names) - len(added) :] == added
        assert all(TABLES[table].field(name).nullable for name in added)


def test_prototypes_and_evaluations_have_what_they_are_read_by() -> None:
    assert {f.name for f in TABLES["prototypes"] if f.nullable} == {"name"}
    assert {f.name for f in TABLES["prototype_decisions"] if f.nullable} == {
        *("name", "merge_into", "reason", "decided_by")
    }
    assert TABLES["evaluations"].names[-5:] == ["dataset", "mode", "weights", "details", "metrics"]


def test_times_are_utc() -> None:
    kinds = {
        field.type for schema in TABLES.values() for field in schema if pa.types.is_timestamp(field.type)
    }
    assert kinds == {pa.timestamp("us", tz="UTC")}
