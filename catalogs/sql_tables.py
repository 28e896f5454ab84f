"""Every table of a catalog version as one SELECT over its files, in SQL that any DuckDB understands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from ..schemas.history import schema_at
from ..schemas.tables import PARTITION, SCHEMA_VERSION, TABLES
from .files import run_of
from .store import FINISHED, Catalog
from .views import Shape, shaped_views

SPEAKING = ("label", "review")
REPEATED = "repeated"

# The run's folder is the last but one part of a file's path. Hive partitioning would read the same from any
# part of the path, so that a catalog below a folder ``a=b`` or ``run_id=x`` gave wrong columns.
RUN_OF_FILE = f"parse_path(filename)[-2][{len(PARTITION) + 2}:]"
_TYPES = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class PinnedTables:
    """The files of a catalog version.

    Args:
        uri: the catalog's own form of its URI.
        version: number of the version.
        files: table -> URIs of its files.
        schemas: URI -> the schema version of a file, where it is not today's.
        speaking: the finished label and review runs.
        shape: what the views have to reckon with.
    """

    uri: str
    version: int
    files: Mapping[str, Sequence[str]]
    schemas: Mapping[str, int]
    speaking: frozenset[str]
    shape: Shape

    @classmethod
    def of(cls, uri: str, version: int | str | None) -> Self:
        """Pin a version, by number or tag; None is the newest.

        Raises:
            CatalogError: no catalog, nothing published, or no such version.
        """
        catalog = Catalog.open(uri)
        number = catalog.resolve(version)
        files = catalog.all_files(number)
        runs = [r for r in catalog.runs(number) if r["status"] == FINISHED and r["kind"] in SPEAKING]
        speaking = frozenset(r[PARTITION] for r in runs)
        shape = _shape(runs, bool(files.get("prototypes")))
        return cls(catalog.uri, number, files, catalog.schemas(number), speaking, shape)

    def selects(self) -> dict[str, str]:
        """Return name -> SELECT: every table with its ``run_id``, and all views."""
        tables = {table: _select(table, self._by_schema(uris)) for table, uris in self.files.items()}
        speaking = {f"speaking_{table}": self._speaking(table) for table in ("images", "masks")}
        return tables | speaking | shaped_views(self.shape)

    def _speaking(self, table: str) -> str:
        """Return what finished label and review runs have of a table."""
        uris = [uri for uri in self.files[table] if run_of(uri) in self.speaking]
        if len(uris) == len(self.files[table]):
            return f"FROM {table}"
        return _select(table, self._by_schema(uris))

    def _by_schema(self, uris: Sequence[str]) -> dict[int, list[str]]:
        # DuckDB takes the columns of all files that it reads at once from the first of them. A run may have
        # files of several schemas, where a later maskmill finished or compacted it.
        groups: dict[int, list[str]] = defaultdict(list)
        for uri in uris:
            groups[self.schemas.get(uri, SCHEMA_VERSION)].append(uri)
        return dict(sorted(groups.items()))


def _shape(runs: Sequence[Mapping[str, Any]], prototypes: bool) -> Shape:
    corpora = [run["corpus"] for run in runs]
    # A run's own images are counted when it is published; runs of earlier versions did not count them.
    once = all(run["counts"].get(REPEATED) == 0 for run in runs)
    reviewed = any(run["kind"] == "review" for run in runs)
    return Shape(len(set(corpora)) < len(corpora) or not once, reviewed, prototypes)


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def sql_type(kind: pa.DataType) -> str:
    """Return DuckDB's name of a column's type.

    Raises:
        KeyError: no table has such a column.
    """
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{quoted_name(f.name)} {sql_type(f.type)}' for f in kind)})"
    return _TYPES[kind]


def quoted_name(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _select(table: str, groups: Mapping[int, Sequence[str]]) -> str:
    schema = TABLES[table].append(pa.field(PARTITION, pa.string()))
    # Without rows, it names and types the columns that files of an earlier schema do not hold.
    nulls = ", ".join(f"CAST(NULL AS {sql_type(f.type)}) AS {quoted_name(f.name)}" for f in schema)
    rows = [_rows(uris, schema_at(table, version)) for version, uris in groups.items()]
    parts = [f"SELECT {nulls} WHERE false", *rows]
    columns = ", ".join(quoted_name(name) for name in schema.names)
    return f"SELECT {columns} FROM ({' UNION ALL BY NAME '.join(parts)})"  # noqa: S608 - all names are quoted


def _rows(uris: Sequence[str], schema: pa.Schema) -> str:
    listed = ", ".join(quoted(uri) for uri in uris)
    reader = f"read_parquet([{listed}], hive_partitioning = false, filename = true)"
    # Named one by one: a compacted file may hold columns that the others of its group do not.
    columns = ", ".join(quoted_name(name) for name in schema.names)
    return f"SELECT {columns}, {RUN_OF_FILE} AS {PARTITION} FROM {reader}"  # noqa: S608 - all are quoted
