from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs import files
from maskmill.catalogs.maintenance.merging import merged_stats
from maskmill.schemas.tables import ERRORS

_TEXT = st.one_of(st.none(), st.text(max_size=3), st.just("x" * 70))
_ROW = st.fixed_dictionaries({"key": _TEXT, "detail": st.sampled_from(["a", "b", "y" * 80])})


@given(st.lists(st.lists(_ROW, max_size=4), min_size=1, max_size=4))
def test_merged_statistics_hold_for_all_rows(groups: list[list[dict[str, str | None]]]) -> None:
    import json

    same = {"stage": "s", "corpus": "c", "shard_id": "0", "reason": "r"}
    tables = [pa.Table.from_pylist([same | row for row in rows], ERRORS) for rows in groups]
    merged = merged_stats([json.loads(files._stats(table)) for table in tables])
    whole = json.loads(files._stats(pa.concat_tables(tables)))
    assert merged["numRecords"] == whole["numRecords"]
    assert merged["nullCount"] == whole["nullCount"]
    for key in ("minValues", "maxValues"):
        # A file's long text hides its end, also where another file's end would be the shorter one.
        assert merged[key].items() <= whole[key].items()


def test_a_column_that_came_later_counts_as_null() -> None:
    old = {"numRecords": 2, "nullCount": {}, "minValues": {}, "maxValues": {}}
    new = {"numRecords": 3, "nullCount": {"x": 1}, "minValues": {"x": 4}, "maxValues": {"x": 5}}
    assert merged_stats([old, new]) == {
        "numRecords": 5,
        "nullCount": {"x": 3},
        "minValues": {"x": 4},
        "maxValues": {"x": 5},
    }
