"""Where the entity set of a filter run comes from: the corpus, a vocabulary, or what the run began with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import fsspec
import pyarrow.parquet as pq

from ..catalogs.files import write_rows
from ..catalogs.store import Catalog
from ..schemas.config import FilterConfig
from ..schemas.errors import ConfigError
from ..schemas.vocabulary import load_vocabulary
from .entities import DERIVED, EntityReason, EntitySet, NounCounts, select_entities
from .progress import Progress
from .ranking_error import membership_error

DERIVE: Final = "derive"
RELEASED: Final = "released"
_RELEASED_NAMES: Final = "cc4m_released"
FALLBACK: Final = "demo"
_FILE: Final = "entities"


def named_set(name_or_path: str, nltk_data: str | None = None) -> EntitySet:
    """Return the entity set of a vocabulary; ``released`` is the authors' own.

    Args:
        nltk_data: folder of NLTK data, which the authors' way of finding names in captions needs.

    Raises:
        ConfigError: there is no such vocabulary, or no NLTK data for ``released``.
    """
    if name_or_path != RELEASED:
        return EntitySet.of_vocabulary(load_vocabulary(name_or_path))
    from .nltk_data import TOKENISER, ensure_data

    reason = ensure_data(nltk_data, TOKENISER)
    if reason is not None:
        raise ConfigError(f"entities 'released' are found by NLTK's tokeniser: {reason}")
    return replace(EntitySet.of_vocabulary(load_vocabulary(_RELEASED_NAMES)), name=RELEASED)


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


def select(nouns: NounCounts, config: FilterConfig, progress: Progress) -> EntitySet:
    """Choose the set from the nouns of the corpus, and say how sure a set that is drawn from a sample is.

    Raises:
        ConfigError: NLTK's data is missing here, or damaged.
    """
    from .nouns import Nouns  # late, as above

    entities = select_entities(nouns, Nouns(config.nltk_data).judge, config.top_k, config.min_count)
    if config.sample < 1:
        progress.say(membership_error(entities, nouns.captions, config.top_k))
    return entities


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
