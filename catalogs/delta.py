"""One Delta table as what maskmill needs of it: a set of Parquet files that changes in atomic commits."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from ..schemas.errors import CatalogError
from ..schemas.history import ADDED, TABLES_SINCE, written_at
from ..schemas.tables import PARTITION, TABLES
from .files import FileAdd, run_of
from .storage import is_local, join, locate, reported_as

_TRIES = 30
# Delta's own cleanup would drop log entries after 30 days, and with them the versions that trainers pin. An
# entry is about a kilobyte, and checkpoints at every 100th commit keep opening a long log fast.
_KEEP_FOR_EVER = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


class FileTable:
    """A table of a catalog, partitioned by run.

    Every call reads the log afresh, so that other writers' commits are seen. All methods raise CatalogError
    where the table is missing or damaged or the store refuses. A table that came with a later schema version
    may be missing from an earlier catalog: it has no files then, at version 0.

    Args:
        catalog_uri: folder or object-store prefix of the catalog.
        name: key of ``schemas.tables.TABLES``.
    """

    def __init__(self, catalog_uri: str, name: str) -> None:
        self.uri = join(catalog_uri, name)
        self.name = name
        self._options = storage_options(catalog_uri)
        self._schema = TABLES[name].append(pa.field(PARTITION, pa.string(), nullable=False))

    def exists(self) -> bool:
        with reported_as(CatalogError, f"cannot look for {self.uri!r}"):
            return self._is_there()

    def create(self) -> None:
        """Make the table; one that is there, or that another process makes at this moment, is as good."""
        with reported_as(CatalogError, f"cannot make {self.uri!r}"):
            fs, path = locate(self.uri)
            if is_local(fs):
                fs.makedirs(path, exist_ok=True)
            try:
                self._create()
            except DeltaError:
                if not self._is_there():
                    raise

    def version(self) -> int:
        table = self._look()
        return table.version() if table else 0

    def sizes(self, version: int | None = None) -> dict[str, int]:
        """Return path -> bytes of the files at a version (default: the newest), sorted by path."""
        table = self._look(version)
        return _sizes(table) if table else {}

    def written_at(self, version: int | None = None) -> dict[str, int]:
        """Return path -> schema version of the files at a version, by the columns that the log knows of each.

        A run may have files of several, where a later maskmill finished or compacted it.
        """
        table = self._look(version)
        return _schemas(table, self.name) if table else {}

    def append(self, adds: Sequence[FileAdd]) -> int:
        """Add the files that are not there yet in one commit; return their number.

        A file that was written again with another size is committed again under its name.
        """
        table = self._open()
        known = _sizes(table)
        changed = {add.path: add for add in adds if known.get(add.path) != add.size}
        if changed:
            self._commit(table, list(changed.values()), "append")
        return sum(path not in known for path in changed)

    def replace_run(self, add: FileAdd) -> None:
        """Let ``add`` be the only file of its run, in one commit; earlier versions keep theirs."""
        table = self._open()
        if [path for path in _sizes(table) if run_of(path) == add.run_id] != [add.path]:
            self._commit(table, [add], "overwrite", [(PARTITION, "=", add.run_id)])

    def swap(self, removed: Sequence[str], add: FileAdd) -> bool:
        """Put one file in the place of others, in one commit; earlier versions keep those.

        Returns:
            Whether it was done: not where one of them is no longer there, as after the same swap elsewhere.
        """
        for attempt in range(_TRIES):
            table = self._open()
            known = _sizes(table)
            if not known.keys() >= set(removed):
                return False
            now = int(time.time() * 1000)
            values: dict[str, str | None] = {PARTITION: add.run_id}
            actions: list[Any] = [
                AddAction(add.path, add.size, values, now, False, add.stats),
                *(RemoveAction(path, False, now, known[path], values) for path in removed),
            ]
            with reported_as(CatalogError, f"cannot commit to {self.uri!r}"):
                if self._try_commit(table, actions, [add], last=attempt == _TRIES - 1):
                    return True
            _wait(attempt)
        return False

    def _create(self) -> None:
        DeltaTable.create(
            self.uri,
            self._schema,
            partition_by=[PARTITION],
            configuration=_KEEP_FOR_EVER,
            storage_options=self._options,
        )

    def _commit(
        self,
        table: DeltaTable,
        adds: Sequence[FileAdd],
        mode: Literal["append", "overwrite"],
        replaced: list[Any] | None = None,
    ) -> None:
        now = int(time.time() * 1000)
        actions: list[Any] = [
            AddAction(a.path, a.size, {PARTITION: a.run_id}, now, True, a.stats) for a in adds
        ]
        with reported_as(CatalogError, f"cannot commit to {self.uri!r}"):
            for attempt in range(_TRIES):
                if self._try_commit(table, actions, adds, mode, replaced, last=attempt == _TRIES - 1):
                    return
                _wait(attempt)
                table = self._open()

    def _try_commit(
        self,
        table: DeltaTable,
        actions: list[Any],
        adds: Sequence[FileAdd],
        mode: Literal["append", "overwrite"] = "append",
        replaced: list[Any] | None = None,
        *,
        last: bool,
    ) -> bool:
        """Commit; False where another writer was faster: its commit may concern the same run, look again."""
        # An action has no place for a checksum; the commit itself takes whatever its writer has to say.
        sums = {add.path: add.sha256 for add in adds if add.sha256}
        try:
            table.create_write_transaction(
                actions,
                mode,
                self._schema,
                [PARTITION],
                partition_filters=replaced,
                commit_properties=CommitProperties(custom_metadata={"sha256": sums}),
            )
        except CommitFailedError:
            if last:
                raise
            return False
        return True

    def _is_there(self) -> bool:
        try:
            DeltaTable(self.uri, storage_options=self._options)
        except TableNotFoundError:
            return False
        return True

    def _open(self, version: int | None = None) -> DeltaTable:
        with reported_as(CatalogError, f"cannot open {self.uri!r}"):
            try:
                table = DeltaTable(self.uri, version=version, storage_options=self._options)
            except TableNotFoundError as err:
                raise CatalogError(f"{self.uri!r} is missing: the catalog is damaged, or is none") from err
            known = {field.name for field in table.schema().fields}
            lacking = [field.name for field in self._schema if not field.nullable and field.name not in known]
            if lacking:
                raise CatalogError(
                    f"{self.uri!r} is a table of another tool: it has no column {lacking[0]!r}"
                )
            return table

    def _look(self, version: int | None = None) -> DeltaTable | None:
        """Open the table; None where the catalog is of a maskmill that did not know it yet."""
        if self.name in TABLES_SINCE and not version and not self.exists():
            return None
        return self._open(version)


def _wait(attempt: int) -> None:
    time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))  # noqa: S311 - spreads writers


def _sizes(table: DeltaTable) -> dict[str, int]:
    actions = pa.table(table.get_add_actions(flatten=True))
    paths = [unquote(path) for path in actions["path"].to_pylist()]
    return dict(sorted(zip(paths, actions["size_bytes"].to_pylist(), strict=True)))


def _schemas(table: DeltaTable, name: str) -> dict[str, int]:
    actions = pa.table(table.get_add_actions(flatten=True))
    later = [column for tables in ADDED.values() for column in tables.get(name, ())]
    held: list[set[str]] = [set() for _ in range(actions.num_rows)]
    for column in later:
        # A file whose maskmill did not know a column has not counted its nulls.
        nulls = f"null_count.{column}"
        counts = actions[nulls].to_pylist() if nulls in actions.column_names else ()
        for columns, count in zip(held, counts, strict=False):
            columns |= set() if count is None else {column}
    paths = [unquote(path) for path in actions["path"].to_pylist()]
    return dict(sorted(zip(paths, (written_at(name, columns) for columns in held), strict=True)))


def storage_options(uri: str) -> dict[str, str] | None:
    """Return what deltalake must be told beyond the environment: to talk http to a named S3 endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not uri.startswith(("s3://", "s3a://")) or not endpoint:
        return None
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
