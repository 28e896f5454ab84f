from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa

from maskmill.catalogs.formatting import format_table

TIME = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def _one(**columns: object) -> pa.Table:
    return pa.table({name: [value] for name, value in columns.items()})


def test_a_table_is_aligned_with_numbers_to_the_right() -> None:
    table = pa.table(
        {"label": ["cat", "猫", "é"], "masks": [1, 200, None], "score": [0.5, 0.123456, 12345.6]}
    )
    assert format_table(table, "table").splitlines() == [
        "label  masks   score",
        "─────  ─────  ──────",
        "cat        1     0.5",
        "猫       200  0.1235",
        "é              12346",
        "(3 rows)",
    ]


def test_bytes_long_texts_and_control_characters_are_shown_harmlessly() -> None:
    text = format_table(_one(rle=b"abc", long="x" * 80, bad="a\x1b[31m\nb", yes=True), "table")
    row = text.splitlines()[2]
    assert row.split("  ") == ["<3 bytes>", "x" * 59 + "…", "a [31m b", "true"]
    assert text.endswith("(1 row)")


def test_no_rows_still_show_the_columns() -> None:
    empty = pa.table({"a": pa.array([], pa.string())})
    assert format_table(empty, "table") == "a\n─\n(0 rows)"
    assert format_table(empty, "json") == "[]"
    assert format_table(empty, "csv") == "a"


def test_json_holds_every_kind_of_value() -> None:
    table = _one(
        rle=b"\x00\xff",
        at=TIME,
        day=date(2026, 1, 2),
        whole=Decimal(7),
        part=Decimal("1.5"),
        nan=float("nan"),
        none=None,
        nested=[{"start": 0, "entity": "cat"}],
        yes=True,
    )
    assert json.loads(format_table(table, "json")) == [
        {
            "rle": "AP8=",
            "at": "2026-01-02T03:04:00+00:00",
            "day": "2026-01-02",
            "whole": 7,
            "part": 1.5,
            "nan": None,
            "none": None,
            "nested": [{"start": 0, "entity": "cat"}],
            "yes": True,
        }
    ]


def test_csv_can_be_read_back() -> None:
    table = _one(text='a "b",\nc', none=None, names=["cat", "dog"], area=3, yes=False)
    rows = list(csv.reader(io.StringIO(format_table(table, "csv"))))
    assert rows == [
        ["text", "none", "names", "area", "yes"],
        ['a "b",\nc', "", '["cat", "dog"]', "3", "false"],
    ]


def test_repeated_column_names_are_numbered() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", "a_1"])
    assert json.loads(format_table(table, "json")) == [{"a": 1, "a_1": 2, "a_1_1": 3}]
