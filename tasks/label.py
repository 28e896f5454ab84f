"""The label stage: a corpus of captioned images to mask rows in a catalog."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..catalogs.files import write_rows
from ..catalogs.sql_tables import REPEATED
from ..schemas.config import CorpusConfig, LabelConfig, SegmenterConfig
from ..schemas.errors import ErrorReason, StageError
from .commits import Committer
from .label_plan import LabelPlan, plan_label
from .label_rows import error_row
from .label_shard import LabelItem, LabelResult
from .pool import PoolEvent, run_pool, session
from .progress import SILENT, Progress
from .runs import RunEnd, RunSummary, claim_run, finished_run, run_row
from .tally import committed_labels, committed_reasons, committed_rows, most_often, repeated_images

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter

ANCHOR = "images"
_GIVEN_UP = "shards-given-up"


def label_run(
    corpus: CorpusConfig,
    catalog_uri: str,
    config: LabelConfig,
    run_id: str | None = None,
    progress: Progress = SILENT,
    segmenter_factory: Callable[[SegmenterConfig], Segmenter] | None = None,
) -> RunSummary:
    """Label, once, every image of a corpus that can be read, and publish the run.

    The same call again continues an interrupted run and does nothing for a finished one. With the vocabulary
    ``captions`` the filter stage runs first, and each image is asked for the entities of its own captions.

    Args:
        run_id: default: follows from the corpus, the vocabulary, the weights and what else decides the masks.
        segmenter_factory: called once in each worker; default: ``create_segmenter``.

    Returns:
        counts: images, masks, labels (distinct), errors, shards, repeated (rows of images that are there more
            than once); captions and captions_kept of a filter run.

    Raises:
        ConfigError, WeightsError, CorpusError: before any model is loaded.
        StageError: too many shards or samples are bad, or no worker could start. The run is published as
            failed; what it has committed is kept for the next call.
    """
    began = time.monotonic()
    with session(config.pool):
        plan = plan_label(corpus, catalog_uri, config, run_id, progress, segmenter_factory)
        finished = finished_run(plan.catalog, plan.head)
        if finished:
            return finished
        if run_id:
            claim_run(plan.catalog, plan.head)
        version, counts = _Driver(plan, config, progress).run()
    head = plan.head
    return RunSummary(head.kind, head.run_id, version, counts, time.monotonic() - began, False, head.corpus)


class _Driver:
    """Commits what the pool's workers write, and ends the run."""

    def __init__(self, plan: LabelPlan, config: LabelConfig, progress: Progress) -> None:
        catalog = plan.catalog
        self._catalog = catalog
        self._plan = plan
        self._config = config
        self._progress = progress
        self._run_id = plan.head.run_id
        self._committer = Committer(catalog, ANCHOR)
        self._weights = dict(plan.weights)
        self._seconds: Counter[str] = Counter()
        self._reasons = committed_reasons(catalog, self._run_id)
        self._lost: list[tuple[LabelItem, str]] = []
        done = catalog.committed(ANCHOR, self._run_id)
        torn = catalog.committed("errors", self._run_id) - done
        self._left = [
            replace(item, rewrite_errors=item.shard.shard_id in torn)
            for item in plan.items
            if item.shard.shard_id not in done
        ]
        self._shards = len(plan.items) - len(self._left)
        self._samples = Counter(committed_rows(catalog, self._run_id, ("images", "errors")))

    def run(self) -> tuple[int, dict[str, int]]:
        """Label what is left; return the catalog version that shows the run, and its counts."""
        if self._shards:
            self._progress.say(f"{self._shards} of {len(self._plan.items)} shards are labelled already")
        self._progress.start("label", len(self._left))
        gpu = self._config.segmenter.device != "cpu"
        try:
            with self._committer:
                run_pool(self._plan.job, self._left, self._config.pool, self._on_event, gpu)
            self._check_errors()
        except StageError as err:
            self._publish(str(err))
            raise
        finally:
            self._progress.finish()
        self._commit_lost()
        self._say_where_time_went()
        return self._publish(None)

    def _on_event(self, event: PoolEvent[LabelItem, LabelResult]) -> None:
        name = event.item.shard.shard_id
        if event.kind == "requeued":
            self._progress.say(f"shard {name}: {event.reason}; it is tried again")
        elif event.kind == "quarantined":
            self._progress.say(f"shard {name} is given up: {event.reason}")
            self._lost.append((event.item, event.reason))
        elif event.result is not None:
            self._take(event.result)

    def _take(self, result: LabelResult) -> None:
        self._committer.add(result.adds)
        self._weights |= result.weights
        self._seconds.update(result.seconds)
        self._samples.update(result.counts)
        self._reasons.update(result.reasons)
        self._shards += 1
        self._progress.advance(1, **result.counts)
        self._check_errors()

    def _check_errors(self) -> None:
        """End the run as soon as its share of bad samples can no longer stay below the limit.

        The shards to come are taken to be as large as those seen, and without any error.
        """
        bad, seen = self._samples["errors"], self._samples["errors"] + self._samples["images"]
        expected = seen * len(self._plan.items) / max(1, self._shards)
        if bad > self._config.pool.error_limit * expected:
            raise StageError(
                f"{bad} of {seen} samples are bad, which breaks the limit for the whole run of "
                f"{self._config.pool.error_limit:.0%} (pool.error_limit); {most_often(self._reasons)}"
            )

    def _commit_lost(self) -> None:
        """Put shards that were given up on record; only now, since a later call tries them again."""
        reason, corpus = ErrorReason.SHARD_QUARANTINED, self._plan.job.reader.name
        rows = [
            error_row("label", corpus, item.shard.shard_id, None, reason, detail)
            for item, detail in self._lost
        ]
        if rows or _GIVEN_UP in self._catalog.committed("errors", self._run_id):
            add = write_rows(self._catalog.uri, "errors", self._run_id, _GIVEN_UP, rows)
            self._catalog.commit([add])

    def _publish(self, reason: str | None) -> tuple[int, dict[str, int]]:
        tables = committed_rows(self._catalog, self._run_id, ("images", "masks", "errors"))
        labels = len(committed_labels(self._catalog, self._run_id))
        counts = {
            **tables,
            REPEATED: repeated_images(self._catalog, self._run_id),
            "labels": labels,
            "shards": len(self._catalog.committed(ANCHOR, self._run_id)),
            **self._plan.caption_counts,
        }
        row = run_row(self._plan.head, RunEnd(counts, self._weights, reason))
        return self._catalog.publish(row, self._run_id), counts

    def _say_where_time_went(self) -> None:
        busy = sum(self._seconds[what] for what in ("wait", "forward", "write"))
        if busy:
            shares = {what: self._seconds[what] / busy for what in ("forward", "wait", "write")}
            self._progress.say(
                "workers were {forward:.0%} in the segmenter, {wait:.0%} waiting for images and "
                "{write:.0%} writing".format(**shares)
            )
