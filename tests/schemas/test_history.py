from __future__ import annotations

import pyarrow as pa
import pytest

from maskmill.schemas.history import ADDED, TABLES_SINCE, schema_at, written_at
from maskmill.schemas.tables import SCHEMA_VERSION, TABLES


def test_the_schema_of_today_is_that_of_the_last_version() -> None:
    assert max(*ADDED, *TABLES_SINCE.values()) == SCHEMA_VERSION
    assert all(schema_at(table, SCHEMA_VERSION) == schema for table, schema in TABLES.items())


def test_an_earlier_schema_lacks_what_came_later() -> None:
    assert "entropy" not in schema_at("masks", 1).names
    assert schema_at("masks", 2) == TABLES["masks"]
    assert schema_at("evaluations", 2).names[-1] == "classes"
    with pytest.raises(KeyError, match="schema version 2 has no table 'prototypes'"):
        schema_at("prototypes", 2)


@pytest.mark.parametrize("table", TABLES)
def test_the_numbers_and_texts_of_a_file_tell_its_schema_version(table: str) -> None:
    """The log counts the nulls of these alone, so that each addition must hold one."""
    versions = {since for since, tables in ADDED.items() if table in tables} | {TABLES_SINCE.get(table, 1)}
    for version in versions:
        counted = {f.name for f in schema_at(table, version) if not pa.types.is_nested(f.type)}
        assert written_at(table, counted) == version
