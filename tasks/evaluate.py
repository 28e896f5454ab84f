"""The evaluation stage: mIoU of a segmenter or a student against ground truth, by a protocol."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalogs.corpora import corpus_fingerprint
from ..catalogs.files import read_files, write_rows
from ..catalogs.ground_truth import Dataset, open_dataset
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig, EvaluateConfig, SegmenterConfig
from ..schemas.errors import CatalogError, ConfigError, StageError
from ..schemas.protocols import ZERO_GUIDANCE, find_protocol
from ..schemas.samples import Shard
from ..schemas.tables import PARTITION
from ..schemas.vocabulary import load_vocabulary, shipped_wordings
from .evaluate_shard import EvaluateJob, EvaluationSubject, ShardScores
from .evaluation_rows import evaluation_rows
from .judging import Judge
from .pool import PoolEvent, run_pool
from .progress import SILENT, Progress
from .runs import RunEnd, RunHead, RunSummary, default_run_id, results_hash, run_row
from .scores import EvaluationSummary, ProtocolScore, summary_of
from .segment_job import SegmentJob
from .segmenting import prepare_segmenter

_SENTENCE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first of them is read

__all__ = ["EvaluationSubject", "EvaluationSummary", "ProtocolScore", "evaluate_run", "plan_evaluation"]


@dataclass(frozen=True)
class EvaluationPlan:
    """What will be judged by what.

    Args:
        dataset: its layout, or the corpus's name.
        weights: what -> sha256, as far as known before a worker has loaded them.
    """

    job: EvaluateJob
    dataset: str
    shards: tuple[Shard, ...]
    config_hash: str
    weights: dict[str, str]


def evaluate_run(
    subject: EvaluationSubject,
    corpus: CorpusConfig,
    catalog_uri: str,
    config: EvaluateConfig,
    progress: Progress = SILENT,
    force: bool = False,
) -> EvaluationSummary:
    """Judge a subject on every image of a corpus and store the result; what is stored already is only
    returned.

    Args:
        subject: a segmenter by its configuration, or a student by its weights file.
        corpus: see :func:`maskmill.catalogs.ground_truth.open_dataset`.
        force: judge again and store another row.

    Returns:
        counts: images, shards, left_out (images that the protocol does not judge).

    Raises:
        ConfigError, WeightsError, CorpusError: before any model is loaded.
        StageError: an image cannot be judged, or no worker could start.
    """
    began = time.monotonic()
    plan = plan_evaluation(subject, corpus, config)
    catalog = Catalog.create_or_open(catalog_uri)
    before = _stored(catalog, plan)
    if before and not force:
        return _reuse(catalog, before[-1])
    head = RunHead(
        kind="evaluate",
        run_id=default_run_id("evaluate", plan.config_hash, str(len(before))),
        config=config,
        config_hash=plan.config_hash,
        corpus=plan.job.reader.name,
        corpus_uri=plan.job.reader.uri,
        corpus_fingerprint=corpus_fingerprint(plan.shards),
    )
    results = _judge_all(plan, config, progress)
    return _publish(catalog, plan, head, results, began)


def plan_evaluation(
    subject: EvaluationSubject, corpus: CorpusConfig, config: EvaluateConfig
) -> EvaluationPlan:
    """Check everything that can be checked without loading a model.

    Raises:
        ConfigError, WeightsError, CorpusError: see :func:`evaluate_run`.
    """
    dataset = open_dataset(corpus, config.ground_truth, config.split)
    shards = tuple(dataset.reader.shards())
    judge = _judge(config, dataset)
    subject, weights = _prepared(subject)
    if judge.protocol.family == ZERO_GUIDANCE:
        weights |= _sentence_files(config.sentence_encoder)
    what = results_hash(subject) if isinstance(subject, SegmenterConfig) else "student"
    deciding = (
        what,
        dataset.reader.uri,
        corpus_fingerprint(shards),
        judge.vocabulary.hash,
        *judge.protocols,
        *sorted(weights.values()),
    )
    config_hash = results_hash(config, *deciding)
    kind = SegmentJob if judge.protocol.readings else EvaluateJob
    job = kind(subject, dataset.reader, dataset.truth, judge, config)
    return EvaluationPlan(job, dataset.name, shards, config_hash, weights)


def _judge(config: EvaluateConfig, dataset: Dataset) -> Judge:
    """Settle vocabulary, words and protocol.

    Raises:
        ConfigError: there is no such vocabulary, protocol or class, or none that the ground truth has.
    """
    given = config.vocabulary or dataset.vocabulary
    protocol = find_protocol(config.protocol, given.partition(":")[0])
    if config.vocabulary is None and protocol.wording in shipped_wordings(given):
        given = f"{given}:{protocol.wording}"
    vocabulary = load_vocabulary(given)
    if protocol.readings and config.restrict_to_captions:
        raise ConfigError(f"protocol {config.protocol!r} asks for no class: captions cannot restrict it")
    if missing := set(config.unknown) - set(vocabulary.names[1:]):
        raise ConfigError(
            f"vocabulary {vocabulary.name!r} has no class {', '.join(sorted(missing))} (unknown)"
        )
    return Judge(vocabulary, dataset.truth.names(), config.restrict_to_captions, protocol)


def _prepared(subject: EvaluationSubject) -> tuple[EvaluationSubject, dict[str, str]]:
    if isinstance(subject, SegmenterConfig):
        return prepare_segmenter(subject)
    from ..models.encoders.weights import file_sha256

    return subject, {"student": file_sha256(subject)}


def _sentence_files(spec: str) -> dict[str, str]:
    """Return the checksum of a sentence encoder that lies in a folder; of others the name must do."""
    from ..models.encoders.weights import file_sha256

    file = next((f for name in _SENTENCE_WEIGHTS if (f := Path(spec) / name).is_file()), None)
    return {} if file is None else {"sentence_file": file_sha256(file)}


def _judge_all(plan: EvaluationPlan, config: EvaluateConfig, progress: Progress) -> list[ShardScores]:
    found: dict[str, ShardScores] = {}

    def on_event(event: PoolEvent[Shard, ShardScores]) -> None:
        if event.result is not None:
            found[event.item.shard_id] = event.result
            progress.advance(1, images=len(event.result.images))
        elif event.reason:
            progress.say(f"shard {event.item.shard_id}: {event.reason}")

    pool = config.pool.model_copy(update={"error_limit": 0.0})
    device = plan.job.subject.device if isinstance(plan.job.subject, SegmenterConfig) else config.device
    progress.start("evaluate", len(plan.shards))
    try:
        run_pool(plan.job, plan.shards, pool, on_event, gpu=device != "cpu")
    finally:
        progress.finish()
    return [found[shard.shard_id] for shard in plan.shards]


def _publish(
    catalog: Catalog, plan: EvaluationPlan, head: RunHead, results: Sequence[ShardScores], began: float
) -> EvaluationSummary:
    run_id = head.run_id
    per_image = tuple(image for result in results for image in result.images)
    if not per_image:
        raise StageError(f"protocol {plan.job.config.protocol!r} judges no image of {plan.job.reader.uri!r}")
    weights = {**plan.weights, **results[0].weights}
    rows = evaluation_rows(plan.job, plan.dataset, results, weights)
    catalog.commit([write_rows(catalog.uri, "evaluations", run_id, "evaluation", rows)])
    left_out = sum(result.left_out for result in results)
    counts = {"images": len(per_image), "shards": len(plan.shards), "left_out": left_out}
    version = catalog.publish(run_row(head, RunEnd(counts, weights)), run_id)
    run = RunSummary("evaluate", run_id, version, counts, time.monotonic() - began, False, head.corpus)
    return summary_of(run, rows, per_image)


def _stored(catalog: Catalog, plan: EvaluationPlan) -> list[dict[str, Any]]:
    """Return the finished runs that judged the same, oldest first."""
    try:
        runs = catalog.runs()
    except CatalogError:
        return []
    return [r for r in runs if r["config_hash"] == plan.config_hash and r["status"] == "finished"]


def _reuse(catalog: Catalog, row: dict[str, Any]) -> EvaluationSummary:
    counts = {name: int(n) for name, n in row["counts"].items()}
    run = RunSummary("evaluate", row[PARTITION], catalog.version(), counts, 0.0, True, row["corpus"])
    rows = read_files("evaluations", catalog.run_files("evaluations", row[PARTITION])).to_pylist()
    return summary_of(run, rows, ())
