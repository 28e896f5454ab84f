"""Query results as an aligned table for people, or as JSON or CSV for programs."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa

Style = Literal["table", "json", "csv"]

_WIDEST = 60


def format_table(table: pa.Table, style: Style) -> str:
    """Format rows.

    Args:
        style: ``table``: aligned, for a terminal; bytes as their number, long text cut, control characters as
            blanks. ``json``: a list of objects; bytes in base64, times in ISO 8601, not-a-number as null.
            ``csv``: values as in JSON, nested ones as JSON text, null as nothing, after a line of names.

    Returns:
        The text without a final newline.
    """
    names = _unique(table.column_names)
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    if style == "json":
        objects = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
        return json.dumps(objects, ensure_ascii=False, allow_nan=False)
    if style == "csv":
        return _csv(names, rows)
    return _aligned(names, [_is_number(field.type) for field in table.schema], rows)


def _unique(names: Sequence[str]) -> list[str]:
    """Number repeated names, as in ``SELECT 1 AS a, 2 AS a``; an object can hold each key only once."""
    unique: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in unique:
            candidate = f"{name}_{number}"
            number += 1
        unique.append(candidate)
    return unique


def _csv(names: list[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().removesuffix("\n")


def _cell(value: Any) -> Any:
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict | bool) else plain


def _plain(value: Any) -> Any:
    """Turn a value into what JSON knows."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case None | bool() | int() | str():
            return value
    return str(value)


def _aligned(names: list[str], right: list[bool], rows: Sequence[Sequence[Any]]) -> str:
    cells = [[_shown(value) for value in row] for row in rows]
    head = [_shown(name) for name in names]
    widths = [max(map(_width, column)) for column in zip(head, *cells, strict=True)]
    lines = [head, ["─" * width for width in widths], *cells]
    text = ["  ".join(map(_padded, line, widths, right)).rstrip() for line in lines]
    return "\n".join([*text, f"({len(rows)} row{'' if len(rows) == 1 else 's'})"])


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    text = "" if value is None else str(_cell(value))
    # A caption may hold anything; escape sequences must not reach the terminal.
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _width(text: str) -> int:
    """Return the columns that a text takes in a terminal, where East Asian characters take two."""
    narrow = sum(not unicodedata.combining(c) for c in text)
    return narrow + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def _padded(text: str, width: int, right: bool) -> str:
    blank = " " * (width - _width(text))
    return blank + text if right else text + blank
