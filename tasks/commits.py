"""The one place where files that workers wrote become part of a catalog."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ..catalogs.files import FileAdd
from ..catalogs.store import Catalog
from ..schemas.errors import CatalogError


class Committer:
    """Collects the files of finished shards and commits them in batches, the anchor table's files last.

    A shard counts as done once its file in the anchor table is committed; a driver that dies between the two
    commits leaves files of other tables behind that the repeated shard writes again under the same names.

    Args:
        anchor: the table that every shard has a file in.
        every: commit after this many shards ...
        seconds: ... or when this long has passed since the last commit.
    """

    def __init__(self, catalog: Catalog, anchor: str, every: int = 10, seconds: float = 5.0) -> None:
        self._catalog = catalog
        self._anchor = anchor
        self._every = every
        self._seconds = seconds
        self._waiting: list[FileAdd] = []
        self._shards = 0
        self._last = time.monotonic()

    def add(self, adds: Sequence[FileAdd]) -> None:
        """Take the files of one shard."""
        self._waiting.extend(adds)
        self._shards += 1
        if self._shards >= self._every or time.monotonic() - self._last >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Commit what waits."""
        for anchored in (False, True):
            adds = [add for add in self._waiting if (add.table == self._anchor) is anchored]
            if adds:
                self._catalog.commit(adds)
        self._waiting.clear()
        self._shards = 0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit the rest, also of a stage that gave up or was interrupted; not into a failing catalog."""
        if not isinstance(error, CatalogError):
            self.flush()
