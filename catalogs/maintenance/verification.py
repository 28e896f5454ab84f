"""Whether a catalog version is whole: every file read to its last byte and held against the log."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.errors import CatalogError
from ...schemas.tables import PARTITION, TABLES
from ..files import completed, run_of
from ..storage import join, locate, reported_as
from ..store import RUNS_TABLE, Catalog
from .findings import Finding, Verification
from .log import Commit, LoggedFile, files_at
from .mask_checks import duplicates, strays, wrong_masks
from .state import StoredFile, read_logs, shown, stored_files
from .statistics_check import statistics_fault

_KEYS = {"images": ["image_id"], "masks": ["image_id", "label"]}


def verify(uri: str, version: int | str | None = None, masks_per_file: int | None = None) -> Verification:
    """Read all files of a version and report what is wrong; one fault does not hide the next.

    In memory are one file and the keys of all images and masks.

    Args:
        version: a version or a tag; default: the newest.
        masks_per_file: how many masks of a file are measured again, spread evenly; default: all.

    Raises:
        CatalogError: no catalog, no such version, or a log cannot be read.
    """
    catalog = Catalog(uri)
    number = catalog.resolve(version)
    logs = read_logs(catalog)
    check = _Check(catalog, logs, masks_per_file)
    check.table(RUNS_TABLE, files_at(logs[RUNS_TABLE], number))
    # Without the rows of ``runs`` nobody can tell which files a version shows.
    if not any(finding.is_fault for finding in check.findings):
        files = shown(logs, catalog.snapshot(number))
        for table in files.keys() - {RUNS_TABLE}:
            check.table(table, files[table])
        check.keys()
    return check.verification(number)


class _Check:
    """One look through a version, table by table."""

    def __init__(
        self, catalog: Catalog, logs: Mapping[str, Sequence[Commit]], masks_per_file: int | None
    ) -> None:
        self.findings: list[Finding] = []
        self._catalog = catalog
        self._logs = logs
        self._masks_per_file = masks_per_file
        self._counts: Counter[str] = Counter()
        self._keys: dict[str, dict[str, list[pa.Table]]] = {table: defaultdict(list) for table in _KEYS}

    def table(self, table: str, files: Mapping[str, LoggedFile]) -> None:
        """Check the files that the version shows of a table, and look for strange ones beside them."""
        stored = stored_files(self._catalog, table)
        for file in files.values():
            self.findings += self._file(table, file, stored.get(file.path))
        logged = {file.path for commit in self._logs[table] for file in commit.added}
        for path in sorted(stored.keys() - logged):
            detail = f"{stored[path].size} bytes that no commit names"
            self.findings.append(Finding("orphan_file", stored[path].path, detail))

    def keys(self) -> None:
        """Check that rows are unique and belong together."""
        images, masks = (
            {run_id: pa.concat_tables(tables) for run_id, tables in self._keys[table].items()}
            for table in _KEYS
        )
        for run_id, rows in images.items():
            self.findings += duplicates(rows, "duplicate_image", f"images/{PARTITION}={run_id}")
        for run_id, rows in masks.items():
            place = f"masks/{PARTITION}={run_id}"
            self.findings += duplicates(rows, "duplicate_mask", place)
            known = images.get(run_id, rows.select(["image_id"]).slice(0, 0))
            self.findings += strays(rows, known, place)

    def verification(self, version: int) -> Verification:
        names = ("files", "rows_read", "bytes_read", "masks_measured")
        counts = {name: self._counts[name] for name in names}
        return Verification(self._catalog.uri, version, **counts, findings=tuple(self.findings))

    def _file(self, table: str, file: LoggedFile, stored: StoredFile | None) -> Iterator[Finding]:
        place = f"{table}/{file.path}"
        if stored is None:
            yield Finding("missing_file", place, f"the log names {file.size} bytes")
            return
        if stored.size != file.size:
            yield Finding("size_differs", place, f"{stored.size} bytes, the log says {file.size}")
        try:
            rows, digest = _read(table, join(self._catalog.uri, place))
        except CatalogError as err:
            yield Finding("damaged_file", place, str(err))
            return
        if file.sha256 not in (None, digest):
            yield Finding("damaged_file", place, f"its sha256 is {digest}, the log says {file.sha256}")
        fault = statistics_fault(rows, file.stats)
        if fault:
            yield Finding("wrong_statistics", place, fault)
        self._counts.update(files=1, rows_read=rows.num_rows, bytes_read=stored.size)
        if table in _KEYS:
            self._keys[table][run_of(file.path)].append(rows.select(_KEYS[table]))
        if table == "masks":
            measured, wrong = wrong_masks(rows, place, self._masks_per_file)
            self._counts["masks_measured"] += measured
            yield from wrong


def _read(table: str, uri: str) -> tuple[pa.Table, str]:
    """Return the rows of a file and the sha256 of its bytes, from one look at it."""
    with reported_as(CatalogError, f"cannot read {uri!r}"):
        fs, path = locate(uri)
        body = fs.cat_file(path)
        file = pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)
        return completed(file.read(TABLES[table].names), TABLES[table]), hashlib.sha256(body).hexdigest()
