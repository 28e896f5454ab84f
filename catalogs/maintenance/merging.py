"""Several Parquet files of a run into one, whose rows keep their order and remember where they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.errors import CatalogError
from ...schemas.tables import PARTITION, TABLES
from ..files import ROW_GROUP, FileAdd, read_files, run_of, writer_options
from ..parts import PARTS_KEY, compacted_name, parts_of
from ..storage import join, put_file, reported_as
from .log import LoggedFile

# A trainer reads shard by shard, and each time the whole row groups that the shard's rows lie in; much
# smaller groups would slow the queries down that read everything.
_LEAST_GROUP = 4096


@dataclass(frozen=True)
class Merged:
    """The paths of files that became one, and that one, which is written but not committed."""

    sources: tuple[str, ...]
    add: FileAdd


class Merger:
    """Takes files in order until they make a file of the wanted size; in memory is that file, compressed.

    Args:
        target_bytes: of the Parquet file; it is exceeded by at most one of the files taken.
    """

    def __init__(self, catalog_uri: str, table: str, target_bytes: int) -> None:
        self._uri = catalog_uri
        self._table = table
        self._target = target_bytes
        self._sources: list[LoggedFile] = []
        self._parts: list[tuple[str, int]] = []
        self._waiting: list[pa.Table] = []
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._sink, TABLES[table], **writer_options(TABLES[table]))

    def take(self, file: LoggedFile) -> bool:
        """Append the rows of a file; return whether the size is reached.

        Raises:
            CatalogError: the file is missing or damaged.
        """
        uri = join(self._uri, self._table, file.path)
        rows = read_files(self._table, [uri]).drop_columns([PARTITION])
        if rows.num_rows != file.rows:
            raise CatalogError(f"{uri!r} has {rows.num_rows} rows, not {file.rows}; verify the catalog")
        self._sources.append(file)
        names = parts_of([uri]).values()
        self._parts += [(part.name, rows.num_rows if part.rows is None else part.rows) for part in names]
        self._waiting.append(rows)
        if sum(table.num_rows for table in self._waiting) >= _LEAST_GROUP:
            self._write_group()
        return bool(self._sink.tell() >= self._target)

    def finish(self) -> Merged | None:
        """Write the file under a name that follows from its bytes; None where a single file was taken.

        Raises:
            CatalogError: the store refuses.
        """
        if self._waiting:
            self._write_group()
        self._writer.add_key_value_metadata({PARTS_KEY: json.dumps(self._parts).encode()})
        self._writer.close()
        body = self._sink.getvalue().to_pybytes()
        if len(self._sources) < 2:
            return None
        paths = tuple(file.path for file in self._sources)
        first, run_id = self._parts[0][0], run_of(paths[0])
        digest = hashlib.sha256(body).hexdigest()
        name = compacted_name(first, digest)
        path = f"{PARTITION}={run_id}/{name}.parquet"
        uri = join(self._uri, self._table, path)
        with reported_as(CatalogError, f"cannot write {uri!r}"):
            put_file(uri, body)
        stats = merged_stats([file.stats for file in self._sources])
        rows = int(stats["numRecords"])
        add = FileAdd(self._table, path, rows, len(body), run_id, json.dumps(stats, sort_keys=True), digest)
        return Merged(paths, add)

    def _write_group(self) -> None:
        self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP)
        self._waiting.clear()


def merged(catalog_uri: str, table: str, files: Iterable[LoggedFile], target_bytes: int) -> Iterable[Merged]:
    """Merge files in the order given into files of at least the wanted size, but for the last."""
    merger: Merger | None = None
    for file in files:
        merger = merger or Merger(catalog_uri, table, target_bytes)
        if merger.take(file):
            yield from _done(merger)
            merger = None
    if merger is not None:
        yield from _done(merger)


def merged_stats(stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the Delta statistics of files taken together.

    A minimum or maximum that one file with values lacks, since it was too long a text, is left out.
    """
    rows = sum(int(one["numRecords"]) for one in stats)
    columns = sorted({name for one in stats for name in one["nullCount"]})
    nulls = {name: sum(_nulls(one, name) for one in stats) for name in columns}
    body: dict[str, Any] = {"numRecords": rows, "nullCount": nulls}
    for key, choose in (("minValues", min), ("maxValues", max)):
        body[key] = {}
        for name in columns:
            with_values = [one[key].get(name) for one in stats if _nulls(one, name) < int(one["numRecords"])]
            if with_values and None not in with_values:
                body[key][name] = choose(with_values)
    return body


def _nulls(stats: Mapping[str, Any], column: str) -> int:
    # A column that came later is null in all rows.
    return int(stats["nullCount"].get(column, stats["numRecords"]))


def _done(merger: Merger) -> Iterable[Merged]:
    made = merger.finish()
    return [] if made is None else [made]
