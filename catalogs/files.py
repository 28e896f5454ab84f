"""The Parquet files of a catalog: written whole or not at all, the same rows giving the same bytes."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..schemas.errors import CatalogError
from ..schemas.tables import PARTITION, TABLES
from .storage import join, locate, one_line, put_file, reported_as

# DuckDB reads row groups in parallel, and holds one whole; a group of masks should stay below about 100 MB.
ROW_GROUP = 16_384
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")
_STATS_TEXT = 64
_READERS = 16


@dataclass(frozen=True)
class FileAdd:
    """A file that is written but does not belong to the catalog before it is committed.

    Args:
        path: relative to its table, e.g. ``run_id=label-1/00012.parquet``.
        size: bytes.
        stats: Delta statistics as JSON.
        sha256: of the file; None where nobody has taken it.
    """

    table: str
    path: str
    rows: int
    size: int
    run_id: str
    stats: str
    sha256: str | None = None


def write_rows(
    catalog_uri: str, table: str, run_id: str, name: str, rows: Sequence[Mapping[str, Any]] | pa.Table
) -> FileAdd:
    """Write ``<catalog>/<table>/run_id=<run_id>/<name>.parquet``; an existing file is replaced.

    Raises:
        CatalogError: no such table, a row does not fit its schema, the run id or name cannot stand in a file
            name, or the store refuses.
    """
    for what, text in (("run id", run_id), ("file name", name)):
        if not _NAME.fullmatch(text):
            raise CatalogError(f"{what} {text!r} must be letters, digits and . _ -, at most 150")
    data = _fitted(table, rows)
    body = _parquet(data)
    path = f"{PARTITION}={run_id}/{name}.parquet"
    uri = join(catalog_uri, table, path)
    with reported_as(CatalogError, f"cannot write {uri!r}"):
        put_file(uri, body)
    digest = hashlib.sha256(body).hexdigest()
    return FileAdd(table, path, data.num_rows, len(body), run_id, _stats(data), digest)


def read_files(table: str, uris: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Read files of one table into memory, in the order given, with the column ``run_id`` from their paths.

    A nullable column that a file does not hold, since its maskmill did not know it yet, is null.

    Args:
        columns: of the table's schema; default: all. ``run_id`` is always there, last.

    Raises:
        CatalogError: a file is missing or damaged; the text names it.
    """
    schema = TABLES[table]
    wanted = pa.schema([schema.field(name) for name in (schema.names if columns is None else columns)])
    with ThreadPoolExecutor(_READERS) as threads:
        parts = list(threads.map(lambda uri: _read(uri, wanted), uris))
    return pa.concat_tables([_with_run(wanted.empty_table(), ""), *parts])


def run_of(path: str) -> str:
    """Return the run that a file belongs to, by its path or URI."""
    return PurePosixPath(path).parent.name.removeprefix(f"{PARTITION}=")


def _read(uri: str, wanted: pa.Schema) -> pa.Table:
    with reported_as(CatalogError, f"cannot read {uri!r}, a file of the catalog"):
        fs, path = locate(uri)
        with fs.open(path, "rb") as file:
            data = pq.ParquetFile(file, page_checksum_verification=True).read(wanted.names)
        return _with_run(completed(data, wanted), run_of(uri))


def completed(data: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return the wanted columns of what was read; one that came into its table later is null."""
    for field in wanted:
        if field.name not in data.column_names:
            if not field.nullable:
                raise ValueError(f"it has no column {field.name!r}")
            data = data.append_column(field, pa.nulls(data.num_rows, field.type))
    return data.select(wanted.names).cast(wanted)


def _with_run(data: pa.Table, run_id: str) -> pa.Table:
    runs = pa.repeat(pa.scalar(run_id), data.num_rows)
    return data.append_column(pa.field(PARTITION, pa.string(), nullable=False), runs)


def _fitted(table: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> pa.Table:
    if table not in TABLES:
        raise CatalogError(f"no table {table!r}; there are {', '.join(TABLES)}")
    schema = TABLES[table]
    names = rows.column_names if isinstance(rows, pa.Table) else {name for row in rows for name in row}
    unknown = sorted(set(names) - set(schema.names))
    if unknown:
        raise CatalogError(f"rows do not fit table {table!r}: it has no column {', '.join(unknown)}")
    try:
        if isinstance(rows, pa.Table):
            return rows.select(schema.names).cast(schema)
        data = pa.Table.from_pylist([dict(row) for row in rows], schema)
    except (pa.ArrowException, ValueError, TypeError, KeyError) as err:
        raise CatalogError(f"rows do not fit table {table!r}: {one_line(err)}") from err
    nulls = [f.name for f in schema if not f.nullable and data[f.name].null_count]
    if nulls:
        raise CatalogError(f"rows do not fit table {table!r}: {', '.join(nulls)} must not be null")
    return data


def _parquet(data: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink, row_group_size=ROW_GROUP, **writer_options(data.schema))
    return sink.getvalue().to_pybytes()


def writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Return how the Parquet files of a catalog are written, for ``pyarrow.parquet``."""
    # A dictionary or minimum of run-length encodings costs bytes and never helps a query.
    plain = [f.name for f in schema if not pa.types.is_binary(f.type)]
    blobs = len(plain) < len(schema)
    columns = plain if blobs else True
    return {
        "compression": "zstd",
        "use_dictionary": columns,
        "write_statistics": columns,
        "write_page_checksum": True,
    }


def _stats(data: pa.Table) -> str:
    """Return numRecords, and minimum, maximum and null count of columns of numbers and short texts."""
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for field in data.schema:
        if not (_is_number(field.type) or pa.types.is_string(field.type)):
            continue
        ends = pc.min_max(data[field.name]).as_py()
        nulls[field.name] = data[field.name].null_count
        if all(_is_storable(end) for end in ends.values()):
            least[field.name], most[field.name] = ends["min"], ends["max"]
    body = {"numRecords": data.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}
    return json.dumps(body, sort_keys=True)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_storable(end: Any) -> bool:
    """A long text would have to be cut, and a maximum that is cut is none; JSON has no infinity."""
    if isinstance(end, str):
        return len(end) <= _STATS_TEXT
    return isinstance(end, int) or (isinstance(end, float) and math.isfinite(end))
