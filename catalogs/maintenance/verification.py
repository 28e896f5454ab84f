"""Whether a catalog version is whole: every file read to its last byte and held against the log."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.errors import CatalogError
from ...schemas.tables import TABLES
from ..files import completed, run_of
from ..storage import join, locate, reported_as
from ..store import RUNS_TABLE, Catalog
from .findings import Finding, Verification
from .key_checks import KEYS, key_findings
from .log import Commit, LoggedFile, files_at
from .mask_checks import wrong_masks
from .pin_checks import lacking_masks, log_findings
from .sampling import Sample
from .state import StoredFile, read_logs, shown, stored_files
from .statistics_check import statistics_fault

# Measuring a mask takes tens of microseconds, of ten million some minutes; a fault of a segmenter or a
# writer concerns many.
MEASURE = 20_000
# Each holds one file, and its rows without run-length encodings.
_READERS = 2


def verify(
    uri: str, version: int | str | None = None, measure: int | None = MEASURE, seed: int = 0
) -> Verification:
    """Read all files of a version and report what is wrong; one fault does not hide the next.

    Every file's bytes, rows and statistics are checked, the keys of all images and masks, and that the tables
    have the commits and images the masks that they had when the version was published. In memory are two
    files at a time; what keys do not fit into 384 MB go to temporary files.

    Args:
        version: a version or a tag; default: the newest.
        measure: how many masks are measured again, drawn from all files; None is all.
        seed: of the draw.

    Raises:
        CatalogError: no catalog, no such version, or a log cannot be read.
    """
    if measure is not None and measure < 0:
        raise CatalogError(f"{measure} masks cannot be measured: give 0 or more")
    catalog = Catalog(uri)
    number = catalog.resolve(version)
    logs = read_logs(catalog)
    check = _Check(catalog, logs)
    check.table(RUNS_TABLE, files_at(logs[RUNS_TABLE], number))
    # Without the rows of ``runs`` nobody can tell which files a version shows.
    if not any(finding.is_fault for finding in check.findings):
        snapshot = catalog.snapshot(number)
        check.findings += log_findings(logs, snapshot)
        files = shown(logs, snapshot)
        sample = Sample(files["masks"], measure, seed)
        for table in files.keys() - {RUNS_TABLE}:
            check.table(table, files[table], sample if table == "masks" else None)
        check.keys()
    return check.verification(number)


@dataclass
class _FileCheck:
    """What was found of one file; ``counts`` are empty where it could not be read."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    whole: bool = False


class _Check:
    """One look through a version, table by table."""

    def __init__(self, catalog: Catalog, logs: Mapping[str, Sequence[Commit]]) -> None:
        self.findings: list[Finding] = []
        self._catalog = catalog
        self._logs = logs
        self._counts: Counter[str] = Counter()
        self._whole: dict[str, list[str]] = defaultdict(list)
        self._unknown: dict[str, set[str]] = defaultdict(set)

    def table(self, table: str, files: Mapping[str, LoggedFile], sample: Sample | None = None) -> None:
        """Check the files that the version shows of a table, and look for strange ones beside them."""
        stored = stored_files(self._catalog, table)

        def check(file: LoggedFile) -> _FileCheck:
            return _checked(self._catalog.uri, table, file, stored.get(file.path), sample)

        with ThreadPoolExecutor(_READERS) as threads:
            for file, found in zip(files.values(), threads.map(check, files.values()), strict=True):
                self._take(table, file, found)
        logged = {file.path for commit in self._logs[table] for file in commit.added}
        for path in sorted(stored.keys() - logged):
            detail = f"{stored[path].size} bytes that no commit names"
            self.findings.append(Finding("orphan_file", stored[path].path, detail))

    def keys(self) -> None:
        """Check that rows are unique and belong together, as far as their files are whole."""
        uri = self._catalog.uri
        self.findings += key_findings(uri, self._whole, sorted(self._unknown["images"]))
        self.findings += lacking_masks(uri, self._whole, sorted(self._unknown["masks"]))

    def verification(self, version: int) -> Verification:
        names = ("files", "rows_read", "bytes_read", "masks", "masks_measured")
        counts = {name: self._counts[name] for name in names}
        return Verification(self._catalog.uri, version, **counts, findings=tuple(self.findings))

    def _take(self, table: str, file: LoggedFile, found: _FileCheck) -> None:
        self.findings += found.findings
        self._counts += found.counts
        if table in KEYS and found.whole:
            self._whole[table].append(join(self._catalog.uri, table, file.path))
        else:
            self._unknown[table].add(run_of(file.path))


def _checked(
    catalog_uri: str, table: str, file: LoggedFile, stored: StoredFile | None, sample: Sample | None
) -> _FileCheck:
    found = _FileCheck()
    place = f"{table}/{file.path}"

    def say(code: str, detail: str) -> None:
        found.findings.append(Finding(code, place, detail))

    if stored is None:
        say("missing_file", f"the log names {file.size} bytes")
        return found
    if stored.size != file.size:
        say("size_differs", f"{stored.size} bytes, the log says {file.size}")
    try:
        rows, digest, drawn = _read(table, join(catalog_uri, place), file.path, sample)
    except CatalogError as err:
        say("damaged_file", str(err))
        return found
    found.whole = file.sha256 in (None, digest)
    if not found.whole:
        say("damaged_file", f"its sha256 is {digest}, the log says {file.sha256}")
    if fault := statistics_fault(rows, file.stats):
        say("wrong_statistics", fault)
    found.counts.update(files=1, rows_read=rows.num_rows, bytes_read=stored.size)
    if sample:
        found.counts.update(masks=rows.num_rows, masks_measured=drawn.num_rows)
        found.findings += wrong_masks(drawn, place)
    return found


def _read(table: str, uri: str, path: str, sample: Sample | None) -> tuple[pa.Table, str, pa.Table]:
    """Read a file once, a row group at a time.

    Returns:
        Its rows without run-length encodings, which are most of its bytes and have no statistics; the sha256
        of its bytes; and of masks the rows of the sample, with theirs.
    """
    schema = TABLES[table]
    light = [field.name for field in schema if not pa.types.is_binary(field.type)]
    rows, drawn = [schema.empty_table().select(light)], [schema.empty_table()]
    with reported_as(CatalogError, f"cannot read {uri!r}"):
        fs, place = locate(uri)
        body = fs.cat_file(place)
        file = pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)
        chosen = sample.of(path, file.metadata.num_rows) if sample else np.zeros(0, np.int64)
        first = 0
        for index in range(file.num_row_groups):
            group = completed(file.read_row_group(index, schema.names), schema)
            last = first + group.num_rows
            here = chosen[(first <= chosen) & (chosen < last)] - first
            rows.append(group.select(light))
            drawn.append(group.take(pa.array(here)))
            first = last
        return pa.concat_tables(rows), hashlib.sha256(body).hexdigest(), pa.concat_tables(drawn)
