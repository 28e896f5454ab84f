"""The filter stage: captions in, an entity set and caption rows out (CC4M's rule on any corpus)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Final

from ..catalogs.corpora import CorpusReader, corpus_fingerprint, open_corpus
from ..catalogs.files import write_rows
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig, FilterConfig
from ..schemas.errors import ConfigError, ErrorReason, StageError
from ..schemas.samples import Shard
from .commits import Committer
from .entities import EntitySet
from .entity_source import DERIVE, commit_set, committed_set, derived_set, named_set, stand_in
from .filter_shard import STAGE, FilterJob, FilterResult
from .filter_tally import committed_captions
from .label_rows import error_row
from .pool import PoolEvent, run_pool, session
from .progress import SILENT, Progress
from .runs import RunEnd, RunHead, RunSummary, claim_run, default_run_id, finished_run, results_hash, run_row
from .tally import committed_rows

ANCHOR: Final = "captions"


def filter_run(
    corpus: CorpusConfig,
    catalog_uri: str,
    config: FilterConfig,
    run_id: str | None = None,
    progress: Progress = SILENT,
) -> RunSummary:
    """Decide which captions of a corpus name an entity, and which entities those are.

    With ``config.entities = "derive"`` a first pass over the corpus finds the entity set; it is committed
    before any caption, so that a resumed run goes on with the same one. Where NLTK's data is neither there
    nor can be fetched, the named set ``demo`` takes its place, and a line says so. A finished run is not
    repeated.

    Returns:
        Counts of images, captions, captions_kept, images_kept, entities (members of the set) and errors.

    Raises:
        ConfigError: no such entity set or NLTK data folder, or the run id is taken by another configuration.
        CorpusError, CatalogError: the corpus or the catalog cannot be opened.
        StageError: too many shards or samples are bad, or no worker could start; the run is published as
            failed, and what it has committed is kept for the next call.
    """
    began = time.monotonic()
    named = None if config.entities == DERIVE else named_set(config.entities)
    reader = open_corpus(corpus)
    shards = tuple(reader.shards())
    catalog = Catalog.create_or_open(catalog_uri)
    stage = _Stage(reader, shards, catalog, config, progress)
    head = stage.head(run_id, named)
    finished = finished_run(catalog, head)
    if finished is None and named is None:
        named = stand_in(catalog, head.run_id, config, progress)
        head = stage.head(run_id, named)
        finished = finished_run(catalog, head)
    if finished is not None:
        return replace(finished, seconds=time.monotonic() - began)
    if run_id is not None:
        claim_run(catalog, head)
    version, counts = stage.run(head, named)
    return RunSummary(STAGE, head.run_id, version, counts, time.monotonic() - began, corpus=reader.name)


@dataclass(frozen=True)
class _Stage:
    reader: CorpusReader
    shards: tuple[Shard, ...]
    catalog: Catalog
    config: FilterConfig
    progress: Progress

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
            corpus_fingerprint=fingerprint,
        )

    def run(self, head: RunHead, named: EntitySet | None) -> tuple[int, dict[str, int]]:
        """Do what is left of the run and publish it; return the catalog version and the counts."""
        run_id = head.run_id
        try:
            with session(self.config.pool):
                entities = named or self._derive(run_id)
                self._filter(run_id, entities)
            tally = committed_captions(self.catalog, run_id)
            errors = committed_rows(self.catalog, run_id, ["errors"])["errors"]
            self._check_errors(errors, tally.images)
        except (StageError, ConfigError) as err:
            self.catalog.publish(run_row(head, RunEnd({}, reason=str(err))), run_id)
            raise
        if named is not None:
            commit_set(self.catalog, run_id, named.counted(tally.entities))
        counts = tally.counts() | {"entities": len(entities.kept), "errors": errors}
        end = RunEnd(counts, {f"entities {entities.name}": entities.hash})
        return self.catalog.publish(run_row(head, end), run_id), counts

    def _derive(self, run_id: str) -> EntitySet:
        known = committed_set(self.catalog, run_id)
        if known is not None:
            return known
        entities = derived_set(self.reader, self.shards, self.config, self.progress)
        commit_set(self.catalog, run_id, entities)
        if not entities.kept:
            self.progress.say("no noun of the corpus became an entity, so no caption will be kept")
        return entities

    def _filter(self, run_id: str, entities: EntitySet) -> None:
        """Write and commit the rows of every shard that has none yet."""
        done = self.catalog.committed(ANCHOR, run_id)
        todo = [shard for shard in self.shards if shard.shard_id not in done]
        lost: list[dict[str, Any]] = []

        def on_event(event: PoolEvent[Shard, FilterResult]) -> None:
            name = event.item.shard_id
            if event.kind == "requeued":
                self.progress.say(f"shard {name}: {event.reason}; it is tried again")
            elif event.kind == "quarantined":
                self.progress.say(f"shard {name} is given up: {event.reason}")
                reason = ErrorReason.SHARD_QUARANTINED
                lost.append(error_row(STAGE, self.reader.name, name, None, reason, event.reason))
            elif event.result is not None:
                committer.add(event.result.adds)
                self.progress.advance(1, **event.result.counts)

        self.progress.start("filter captions", len(todo))
        try:
            with Committer(self.catalog, ANCHOR) as committer:
                job = FilterJob(self.reader, self.catalog.uri, run_id, entities)
                run_pool(job, todo, self.config.pool, on_event)
        finally:
            self.progress.finish()
        if lost:  # put on record only now, since a later call of an interrupted run tries them again
            self.catalog.commit([write_rows(self.catalog.uri, "errors", run_id, "shards-given-up", lost)])

    def _check_errors(self, errors: int, images: int) -> None:
        limit = self.config.pool.error_limit
        if errors > limit * (errors + images):
            raise StageError(
                f"{errors} of {errors + images} samples are bad, more than the limit of {limit:.0%}; read "
                "table errors of this run, mend the corpus, or raise pool.error_limit"
            )
