"""Count what a run has committed, so that a resumed run reports the same numbers as one in a single go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import fsspec
import pyarrow.parquet as pq

from ..catalogs.maintenance.scratch import scratch
from ..catalogs.sql_tables import quoted
from ..catalogs.store import Catalog

T = TypeVar("T")

_THREADS = 16  # a remote file costs a round trip and hardly any work


def committed_rows(catalog: Catalog, run_id: str, tables: Iterable[str]) -> dict[str, int]:
    """Return table -> number of rows of the run, published or not."""
    return {table: sum(_map(_rows, catalog.run_files(table, run_id))) for table in tables}


def committed_labels(catalog: Catalog, run_id: str) -> set[str]:
    """Return the distinct labels of the run's masks."""
    return set().union(*_map(_labels, catalog.run_files("masks", run_id)))


def committed_reasons(catalog: Catalog, run_id: str) -> Counter[str]:
    """Return reason -> number of the run's errors, published or not."""
    reasons: Counter[str] = Counter()
    for found in _map(_reasons, catalog.run_files("errors", run_id)):
        reasons.update(found)
    return reasons


def most_often(reasons: Counter[str]) -> str:
    """Return how a run that ends for its errors tells them: no version shows the rows of a failed run."""
    often = ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common(3))
    return f"most often: {often}. Mend the corpus, or raise the limit to have each in the table errors"


def repeated_images(catalog: Catalog, run_id: str) -> int:
    """Return how many of the run's rows of ``images`` have an ``image_id`` that another row has too, but for
    one of each: 0 where every image stands once, on which views rely.
    """
    files = ", ".join(map(quoted, catalog.run_files("images", run_id)))
    if not files:
        return 0
    with scratch(catalog.uri) as db:
        counted = f"SELECT count(*) - count(DISTINCT image_id) FROM read_parquet([{files}])"  # noqa: S608
        ((number,),) = db.execute(counted).fetchall()
    return int(number)


def _map(function: Callable[[str], T], uris: Iterable[str]) -> list[T]:
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(function, uris))


def _rows(uri: str) -> int:
    with fsspec.open(uri, "rb") as file:
        return int(pq.read_metadata(file).num_rows)


def _labels(uri: str) -> set[str]:
    with fsspec.open(uri, "rb") as file:
        return set(pq.read_table(file, columns=["label"])["label"].unique().to_pylist())


def _reasons(uri: str) -> list[str]:
    with fsspec.open(uri, "rb") as file:
        return list(pq.read_table(file, columns=["reason"])["reason"].to_pylist())
