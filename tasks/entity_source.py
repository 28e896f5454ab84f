"""Where the entity set of a filter run comes from: the corpus, a vocabulary, or what the run began with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import fsspec
import pyarrow.parquet as pq

from ..catalogs.corpora import CorpusReader
from ..catalogs.files import write_rows
from ..catalogs.store import Catalog
from ..schemas.config import FilterConfig
from ..schemas.samples import Shard
from ..schemas.vocabulary import load_vocabulary
from .entities import DERIVED, EntityReason, EntitySet, NounCounts, select_entities
from .filter_shard import DiscoveryJob
from .pool import PoolEvent, run_pool
from .progress import Progress

DERIVE: Final = "derive"
FALLBACK: Final = "demo"
_FILE: Final = "entities"


def named_set(name_or_path: str) -> EntitySet:
    """Return the entity set of a vocabulary.

    Raises:
        ConfigError: there is no such vocabulary.
    """
    return EntitySet.of_vocabulary(load_vocabulary(name_or_path))


def stand_in(catalog: Catalog, run_id: str, config: FilterConfig, progress: Progress) -> EntitySet | None:
    """Return None if the run can derive its set, else the named set that takes its place, and say so.

    A run that was interrupted goes on with the set it began with: a derived one is committed before the first
    caption, so captions without it were matched against the named one.

    Raises:
        ConfigError: the folder ``config.nltk_data`` lacks data.
    """
    if _FILE in catalog.committed("entities", run_id):
        return None
    if catalog.committed("captions", run_id):
        return named_set(FALLBACK)
    # nltk takes 0.7 s to import, and a run with a named entity set never needs it.
    from .nltk_data import HOW_TO_GET, ensure_data

    reason = ensure_data(config.nltk_data)
    if reason is None:
        return None
    progress.say(
        f"NLTK data: {reason}. Entities are NOT derived from the corpus; using the named entity set "
        f"{FALLBACK!r}. To derive them: {HOW_TO_GET}, and run again"
    )
    return named_set(FALLBACK)


def derived_set(
    reader: CorpusReader, shards: Sequence[Shard], config: FilterConfig, progress: Progress
) -> EntitySet:
    """Read the whole corpus once, count the nouns of its captions, and select the set.

    Shards that cannot be read are left out; the pass that matches the captions reports them.

    Raises:
        ConfigError: NLTK's data is missing where a worker runs, or damaged.
        StageError: too many shards failed, or no worker could start.
    """
    from .nouns import Nouns  # late, as above

    counts = NounCounts()

    def on_event(event: PoolEvent[Shard, NounCounts]) -> None:
        if event.result is not None:
            counts.add(event.result)
            progress.advance(1, captions=event.result.captions)

    progress.start("find entities", len(shards))
    try:
        run_pool(DiscoveryJob(reader, config.nltk_data), shards, config.pool, on_event)
    finally:
        progress.finish()
    return select_entities(counts, Nouns(config.nltk_data).judge, config.top_k, config.min_count)


def commit_set(catalog: Catalog, run_id: str, entities: EntitySet) -> None:
    """Write the rows of a run's set and commit them."""
    catalog.commit([write_rows(catalog.uri, "entities", run_id, _FILE, entities.rows())])


def committed_set(catalog: Catalog, run_id: str) -> EntitySet | None:
    """Return the set that a run has committed, None if it has none yet."""
    rows: list[dict[str, Any]] = []
    for uri in catalog.run_files("entities", run_id):
        with fsspec.open(uri, "rb") as file:
            rows += pq.read_table(file).to_pylist()
    if not rows:
        return None
    return EntitySet.of_rows(FALLBACK if rows[0]["reason"] == EntityReason.NAMED else DERIVED, rows)
