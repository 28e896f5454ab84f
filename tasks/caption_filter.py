"""The filter stage: captions in, an entity set and caption rows out (CC4M's rule on any corpus)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from ..catalogs.corpora import CorpusReader, corpus_fingerprint, open_corpus
from ..catalogs.files import write_rows
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig, FilterConfig
from ..schemas.errors import ConfigError, ErrorReason, StageError
from ..schemas.samples import Shard
from .caption_rows import CaptionRules
from .commits import Committer
from .entities import EntitySet, NounCounts
from .entity_source import DERIVE, commit_set, committed_set, named_set, select, stand_in
from .filter_shard import STAGE, Counting, FilterItem, FilterJob, FilterResult, ReadJob, ReadResult
from .filter_tally import committed_captions
from .label_rows import error_row
from .pool import PoolEvent, run_pool, session
from .progress import SILENT, Progress
from .repeats import find_repeats
from .runs import (
    RunEnd,
    RunHead,
    RunSummary,
    claim_run,
    default_run_id,
    finished_run,
    remembered,
    results_hash,
    run_row,
)
from .staging import Staging
from .tally import committed_reasons, committed_rows, most_often

ANCHOR: Final = "captions"
_GIVEN_UP: Final = "shards-given-up"
Item = TypeVar("Item", Shard, FilterItem)
Result = TypeVar("Result", ReadResult, FilterResult)


def filter_run(
    corpus: CorpusConfig,
    catalog_uri: str,
    config: FilterConfig,
    run_id: str | None = None,
    progress: Progress = SILENT,
) -> RunSummary:
    """Decide which captions of a corpus name an entity, and which entities those are.

    The corpus is read once, into a staging folder; what is asked of all of it (which nouns are frequent,
    which images are equal) is worked out there, and then every caption becomes a row. With
    ``config.entities = "derive"`` the set is committed before any caption, so that a resumed run goes on with
    the same one. Where NLTK's data is neither there nor can be fetched, the named set ``demo`` takes its
    place, and a line says so. A finished run is not repeated.

    Returns:
        Counts of images, captions, captions_kept, images_kept, entities (members of the set) and errors.

    Raises:
        ConfigError: no such entity set or NLTK data folder, or the run id is taken by another configuration.
        CorpusError, CatalogError: the corpus or the catalog cannot be opened.
        StageError: too many shards or samples are bad, or no worker could start; the run is published as
            failed, and what it has committed is kept for the next call.
    """
    began = time.monotonic()
    named = None if config.entities == DERIVE else named_set(config.entities, config.nltk_data)
    reader = open_corpus(corpus)
    plan = _Plan(corpus, reader, tuple(reader.shards()), config)
    catalog = Catalog.create_or_open(catalog_uri)
    head = plan.head(run_id, named)
    finished = finished_run(catalog, head)
    if finished is None and named is None:
        named = stand_in(catalog, head.run_id, config, progress)
        head = plan.head(run_id, named)
        finished = finished_run(catalog, head)
    if finished is not None:
        return replace(finished, seconds=time.monotonic() - began)
    if run_id is not None:
        claim_run(catalog, head)
    version, counts = _Stage(plan, catalog, progress, head).run(named)
    return RunSummary(STAGE, head.run_id, version, counts, time.monotonic() - began, corpus=reader.name)


@dataclass(frozen=True)
class _Plan:
    corpus: CorpusConfig
    reader: CorpusReader
    shards: tuple[Shard, ...]
    config: FilterConfig

    def head(self, run_id: str | None, named: EntitySet | None) -> RunHead:
        """A set that takes the place of a derived one makes another run, unless a person chose the run id."""
        fingerprint = corpus_fingerprint(self.shards)
        digest = results_hash(self.config.model_copy(update={"nltk_data": None}))
        source = DERIVE if named is None else named.hash
        return RunHead(
            kind=STAGE,
            run_id=run_id or default_run_id(STAGE, self.reader.name, fingerprint, digest, source),
            config=self.config,
            config_hash=digest,
            corpus=self.reader.name,
            corpus_uri=self.reader.uri,
            reading=remembered(self.corpus, self.reader),
            corpus_fingerprint=fingerprint,
        )


@dataclass(frozen=True)
class _Stage:
    plan: _Plan
    catalog: Catalog
    progress: Progress
    head: RunHead

    @property
    def config(self) -> FilterConfig:
        return self.plan.config

    @property
    def staging(self) -> Staging:
        return Staging(self.catalog.uri, self.head.run_id)

    def run(self, named: EntitySet | None) -> tuple[int, dict[str, int]]:
        """Do what is left of the run and publish it; return the catalog version and the counts."""
        run_id = self.head.run_id
        try:
            with session(self.config.pool):
                entities = named or committed_set(self.catalog, run_id)
                lost, nouns = self._read(counting=entities is None)
                entities = entities or self._commit_derived(nouns)
                lost |= self._filter(entities, [s for s in self.plan.shards if s.shard_id not in lost])
            self._commit_lost(lost)
            tally = committed_captions(self.catalog, run_id)
            errors = committed_rows(self.catalog, run_id, ["errors"])["errors"]
            self._check_errors(errors, tally.images)
        except (StageError, ConfigError) as err:
            self.catalog.publish(run_row(self.head, RunEnd({}, reason=str(err))), run_id)
            raise
        if named is not None:
            commit_set(self.catalog, run_id, named.counted(tally.entities))
        counts = tally.counts() | {"entities": len(entities.kept), "errors": errors}
        end = RunEnd(counts, {f"entities {entities.name}": entities.hash})
        version = self.catalog.publish(run_row(self.head, end), run_id)
        self.staging.remove()
        return version, counts

    def _read(self, counting: bool) -> tuple[dict[str, str], NounCounts]:
        """Stage what is not staged yet; return the shards that were given up, and the nouns of the others."""
        config, done = self.config, self.staging.done()
        todo = [s for s in self.plan.shards if counting or s.shard_id not in done]
        nouns = NounCounts()

        def take(result: ReadResult) -> None:
            if result.nouns is not None:
                nouns.add(result.nouns)
            self.progress.advance(1, **result.counts)

        how = Counting(config.nltk_data, config.sample, config.seed) if counting else None
        job = ReadJob(self.plan.reader, self.staging, config.drop_duplicates, how)
        what = "read captions, find entities" if counting else "read captions"
        return self._pool(what, job, todo, take), nouns

    def _commit_derived(self, nouns: NounCounts) -> EntitySet:
        entities = select(nouns, self.config, self.progress)
        commit_set(self.catalog, self.head.run_id, entities)
        if not entities.kept:
            self.progress.say("no noun of the corpus became an entity, so no caption will be kept")
        return entities

    def _filter(self, entities: EntitySet, shards: Sequence[Shard]) -> dict[str, str]:
        """Write and commit the rows of every shard that has none yet; return the shards given up."""
        staged = [shard.shard_id for shard in shards]
        repeats = find_repeats(self.staging, staged, images=self.config.drop_duplicates)
        done = self.catalog.committed(ANCHOR, self.head.run_id)
        todo = [
            FilterItem(shard, repeats[shard.shard_id]) if shard.shard_id in repeats else FilterItem(shard)
            for shard in shards
            if shard.shard_id not in done
        ]
        rules = CaptionRules(self.config.min_short_side, self.config.latin_only)
        job = FilterJob(
            self.plan.reader.name, self.staging, self.head.run_id, entities, rules, self.config.nltk_data
        )
        with Committer(self.catalog, ANCHOR) as committer:

            def take(result: FilterResult) -> None:
                committer.add(result.adds)
                self.progress.advance(1, **result.counts)

            return self._pool("filter captions", job, todo, take)

    def _pool(
        self,
        what: str,
        job: Callable[[], Callable[[Item], Result]],
        items: Sequence[Item],
        take: Callable[[Result], None],
    ) -> dict[str, str]:
        """Run a pass over shards; return the id of each that was given up, and why."""
        lost: dict[str, str] = {}

        def on_event(event: PoolEvent[Item, Result]) -> None:
            name = event.item.shard.shard_id if isinstance(event.item, FilterItem) else event.item.shard_id
            if event.kind == "requeued":
                self.progress.say(f"shard {name}: {event.reason}; it is tried again")
            elif event.kind == "quarantined":
                self.progress.say(f"shard {name} is given up: {event.reason}")
                lost[name] = event.reason
            elif event.result is not None:
                take(event.result)

        self.progress.start(what, len(items))
        try:
            run_pool(job, items, self.config.pool, on_event)
        finally:
            self.progress.finish()
        return lost

    def _commit_lost(self, lost: dict[str, str]) -> None:
        """Put shards that were given up on record; only now, since a later call tries them again."""
        reason, corpus = ErrorReason.SHARD_QUARANTINED, self.plan.reader.name
        rows: list[dict[str, Any]] = [
            error_row(STAGE, corpus, name, None, reason, detail) for name, detail in lost.items()
        ]
        if rows or _GIVEN_UP in self.catalog.committed("errors", self.head.run_id):
            self.catalog.commit([write_rows(self.catalog.uri, "errors", self.head.run_id, _GIVEN_UP, rows)])

    def _check_errors(self, errors: int, images: int) -> None:
        limit = self.config.pool.error_limit
        if errors > limit * (errors + images):
            reasons = committed_reasons(self.catalog, self.head.run_id)
            raise StageError(
                f"{errors} of {errors + images} samples are bad, more than the limit of {limit:.0%} "
                f"(pool.error_limit); {most_often(reasons)}"
            )
