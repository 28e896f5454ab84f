"""Captions in files beside an image, and in the metadata file of an image folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import fsspec

from ...schemas.errors import CorpusError, ErrorReason
from ...schemas.samples import BadSample
from .base import captions_in
from .columns import CAPTION_NAMES, Columns, usual_column
from .delimited_lines import Fault, Quoting, records
from .delimited_table import HEAD_LINES, find_table

FILE_NAME = "file_name"


def captions_beside(
    key: str, fs: fsspec.AbstractFileSystem, json_path: str | None, txt_path: str | None
) -> tuple[str | None, ...] | BadSample:
    """Return the captions of a ``.json``, else the lines of a ``.txt``, or why they cannot be read.

    A ``.json`` that cannot be read is passed over where there is a ``.txt``.
    """
    problem: Exception | None = None
    try:
        if json_path and (found := _of_json(fs.cat_file(json_path))):
            return found
    except (ValueError, RecursionError, FileNotFoundError, PermissionError) as err:
        problem = err
    try:
        if txt_path:
            lines = fs.cat_file(txt_path).decode("utf-8-sig").split("\n")
            return tuple(line.strip() for line in lines if line.strip())
    except (ValueError, FileNotFoundError, PermissionError) as err:
        problem = problem or err
    return (
        BadSample(key, ErrorReason.BAD_METADATA, f"captions beside the image: {problem}") if problem else ()
    )


def _of_json(data: bytes) -> tuple[str | None, ...]:
    body = json.loads(data)
    if not isinstance(body, dict):
        raise ValueError(f"the .json is a {type(body).__name__}, not an object")
    return captions_in(body)


@dataclass(frozen=True)
class MetadataRow:
    """One line of a metadata file: the captions of a file, or what is wrong with the line."""

    line: int
    file_name: str = ""
    captions: tuple[str | None, ...] = ()
    fault: str | None = None


def metadata_rows(file: IO[bytes], uri: str, columns: Columns) -> Iterator[MetadataRow]:
    """Read a ``metadata.jsonl`` or ``metadata.csv`` of Hugging Face's image folders.

    Raises:
        CorpusError: a ``.csv`` has not the columns that are wanted.
    """
    wanted = Columns(None, columns.captions, columns.image or FILE_NAME)
    rows = _jsonl_rows(file, wanted) if uri.lower().endswith(".jsonl") else _csv_rows(file, uri, wanted)
    for row in rows:
        missing = row.fault is None and not row.file_name
        yield MetadataRow(row.line, fault=f"no {wanted.image!r} in the line") if missing else row


def _csv_rows(file: IO[bytes], uri: str, columns: Columns) -> Iterator[MetadataRow]:
    head = [line for _ in range(HEAD_LINES) if (line := file.readline())]
    table = find_table(uri, head, columns)
    if table.image is None or not table.header:
        raise CorpusError(f"no column {columns.image!r} in {uri!r}")
    file.seek(0)
    lines = records(file, 0, None, table.delimiter, table.quoting)
    next(lines)
    for number, fields in lines:
        if isinstance(fields, Fault):
            yield MetadataRow(number, fault=fields.detail)
        elif len(fields) != table.fields:
            yield MetadataRow(number, fault=f"{len(fields)} fields, not {table.fields}")
        else:
            captions = tuple(fields[place] or None for place in table.captions)
            yield MetadataRow(number, fields[table.image], captions)


def _jsonl_rows(file: IO[bytes], columns: Columns) -> Iterator[MetadataRow]:
    # A line of JSON is one field to a splitter that splits at a byte no valid JSON holds unescaped.
    for number, fields in records(file, 0, None, "\x1f", Quoting.NONE):
        if isinstance(fields, Fault):
            yield MetadataRow(number, fault=fields.detail)
            continue
        try:
            yield _jsonl_row(number, json.loads("\x1f".join(fields)), columns)
        except (ValueError, RecursionError) as err:
            yield MetadataRow(number, fault=str(err))


def _jsonl_row(number: int, body: Any, columns: Columns) -> MetadataRow:
    if not isinstance(body, dict):
        raise ValueError(f"the line is a {type(body).__name__}, not an object")
    name = body.get(str(columns.image))
    usual = usual_column(list(body), CAPTION_NAMES, lambda _: True)
    captions: tuple[str | None, ...] = ()
    for column in columns.captions or ((usual,) if usual else ()):
        captions += captions_in({"captions": body[column]} if body.get(column) is not None else {})
    return MetadataRow(number, name if isinstance(name, str) else "", captions)
