"""Prefect tasks: one per stage of work, each over all shards of its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from ..schemas.config import (
    CorpusConfig,
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    ObjectnessConfig,
    TrainConfig,
)
from ..schemas.errors import MaskmillError
from ..tasks.caption_filter import filter_run
from ..tasks.evaluate import EvaluationSubject, EvaluationSummary, evaluate_run
from ..tasks.label import label_run
from ..tasks.runs import RunSummary
from ..tasks.train import TrainSummary, train_run
from ..tasks.train_objectness import ObjectnessSummary, train_objectness
from .progress import slug, stage_progress

P = ParamSpec("P")
R = TypeVar("R")


_LASTING = (MaskmillError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError)


def _is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """A stage is tried again after an operating-system or network fault, unless time does not mend it."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError) and not isinstance(error, _LASTING)


def stage(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a Prefect task of a stage: never cached (the catalog knows what is done), retried on faults."""
    return task(
        name=name, cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=_is_transient
    )


@stage("filter captions")
def filter_stage(
    corpus: CorpusConfig, catalog: str, config: FilterConfig, run_id: str | None = None
) -> RunSummary:
    return filter_run(corpus, catalog, config, run_id, stage_progress())


@stage("label shards")
def label_stage(
    corpus: CorpusConfig, catalog: str, config: LabelConfig, run_id: str | None = None
) -> RunSummary:
    return label_run(corpus, catalog, config, run_id, stage_progress())


@stage("train student")
def train_stage(catalog: str, version: int | str | None, out: Path, config: TrainConfig) -> TrainSummary:
    return train_run(catalog, version, out, config, stage_progress())


@stage("train objectness")
def objectness_stage(corpus: CorpusConfig, out: Path, config: ObjectnessConfig) -> ObjectnessSummary:
    return train_objectness(corpus, out, config, stage_progress())


@stage("evaluate")
def evaluate_stage(
    subject: EvaluationSubject, dataset: CorpusConfig, catalog: str, config: EvaluateConfig
) -> EvaluationSummary:
    return evaluate_run(subject, dataset, catalog, config, stage_progress())


def publish(catalog: str, summary: RunSummary) -> None:
    """Tell whoever listens that a catalog has a new version; a resumed, already finished run is no news."""
    if summary.resumed:
        return
    emit_event(
        event="maskmill.catalog.published",
        resource={
            "prefect.resource.id": f"maskmill.catalog.{slug(catalog)}",
            "prefect.resource.name": catalog,
        },
        payload={
            "catalog": catalog,
            "version": summary.version,
            "run_id": summary.run_id,
            "kind": summary.kind,
            "counts": dict(summary.counts),
        },
    )


def table_artifact(key: str, rows: Mapping[str, Any], description: str) -> None:
    """Leave a two-column table in the Prefect user interface."""
    create_table_artifact(
        key=slug(key), table=[{"what": k, "value": v} for k, v in rows.items()], description=description
    )
