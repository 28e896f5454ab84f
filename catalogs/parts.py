"""Where the rows of a shard lie: in a file of its own, or in a range of rows of a compacted file.

A compacted file says in its footer which files it was made of and how many rows each had, in the order in
which their rows follow one another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from ..schemas.errors import CatalogError
from ..schemas.tables import TABLES
from .files import completed
from .storage import is_local, locate, reported_as

PARTS_KEY = b"maskmill.parts"
_COMPACTED = re.compile(r".+\.compact-[0-9a-f]{16}")
_READERS = 16


@dataclass(frozen=True)
class Part:
    """The rows that one shard has in a table.

    Args:
        name: of the file that they were written to, which is the id of its shard.
        first, rows: the range in the file; without ``rows`` it is all of the file.
    """

    uri: str
    name: str
    first: int = 0
    rows: int | None = None


def compacted_name(first: str, digest: str) -> str:
    """Return the name, without ``.parquet``, of a compacted file that begins with the rows of ``first``."""
    return f"{first[:100]}.compact-{digest[:16]}"


def is_compacted(uri: str) -> bool:
    return _COMPACTED.fullmatch(PurePosixPath(uri).stem) is not None


def parts_of(uris: Sequence[str]) -> dict[str, Part]:
    """Return name -> part of the files of one table and run; only footers of compacted files are read.

    Raises:
        CatalogError: a compacted file is missing or damaged; the text names it.
    """
    with ThreadPoolExecutor(_READERS) as threads:
        found = threads.map(_parts, uris)
        return {part.name: part for parts in found for part in parts}


def read_part(table: str, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the rows of a part, in stored order; of a large file only the row groups that hold them.

    Args:
        columns: of the table's schema; default: all.

    Raises:
        CatalogError: the file is missing or damaged; the text names it.
    """
    schema = TABLES[table]
    wanted = pa.schema([schema.field(name) for name in (schema.names if columns is None else columns)])
    with reported_as(CatalogError, f"cannot read {part.uri!r}, a file of the catalog"):
        fs, path = locate(part.uri)
        # Reading ahead in threads hides a remote store's latency; of a local file it costs more than it
        # gives.
        ahead = not is_local(fs)
        with (
            fs.open(path, "rb") as opened,
            pq.ParquetFile(opened, page_checksum_verification=True, pre_buffer=ahead) as file,
        ):
            return pa.concat_tables([wanted.empty_table(), *_slices(file, part, wanted)])


def parts_in(metadata: pq.FileMetaData) -> list[tuple[str, int]] | None:
    """Return (name, rows) of the files that a compacted file was made of; None of any other file."""
    said = (metadata.metadata or {}).get(PARTS_KEY)
    return None if said is None else [(name, int(rows)) for name, rows in json.loads(said)]


def _parts(uri: str) -> list[Part]:
    if not is_compacted(uri):
        return [Part(uri, PurePosixPath(uri).stem)]
    with reported_as(CatalogError, f"cannot read {uri!r}, a file of the catalog"):
        fs, path = locate(uri)
        with fs.open(path, "rb") as file:
            said = parts_in(pq.read_metadata(file))
    if said is None:
        return [Part(uri, PurePosixPath(uri).stem)]
    starts = [0, *accumulate(rows for _, rows in said)][:-1]
    return [Part(uri, name, first, rows) for first, (name, rows) in zip(starts, said, strict=True)]


def _slices(file: pq.ParquetFile, part: Part, wanted: pa.Schema) -> Iterable[pa.Table]:
    last = part.first + (file.metadata.num_rows if part.rows is None else part.rows)
    start = 0
    for index in range(file.num_row_groups):
        rows = file.metadata.row_group(index).num_rows
        first, end = max(part.first - start, 0), min(last - start, rows)
        if first < end:
            group = file.read_row_group(index, columns=wanted.names, use_threads=False)
            yield completed(group.slice(first, end - first), wanted)
        start += rows
