from __future__ import annotations

import pyarrow as pa
import pytest

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
    for name, column in (("masks", "entropy"), ("images", "annotator")):
        assert TABLES[name].names[-1] == column
        assert TABLES[name].field(column).nullable


def test_times_are_utc() -> None:
    kinds = {
        field.type for schema in TABLES.values() for field in schema if pa.types.is_timestamp(field.type)
    }
    assert kinds == {pa.timestamp("us", tz="UTC")}
