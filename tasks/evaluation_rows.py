"""What a catalog keeps of an evaluation: one row of ``evaluations`` for each protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..models.metrics import BoundaryScores
from ..schemas.config import SegmenterConfig
from .evaluate_shard import EvaluateJob, ShardScores
from .scores import WHOLE, WINDOWS, further, measures, summed


def evaluation_rows(
    job: EvaluateJob, dataset: str, results: Sequence[ShardScores], weights: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the rows of one run.

    Args:
        results: of all shards, at least one.
        weights: what -> sha256 of what was judged.
    """
    common = _common(job, dataset, results, weights)
    vocabulary = job.judge.vocabulary
    unknown = [name in job.config.unknown for name in vocabulary.names]
    rows = []
    # A shard without an image knows of no reading; the others agree on how many there are.
    told = max(len(result.counts) for result in results)
    for i, protocol in enumerate(job.judge.protocols[:told]):
        matrix = summed([result.counts[i] for result in results if result.counts], len(unknown))
        boundary = _boundary(results, len(unknown)) if i == 0 else None
        metrics = shared(results, i) + further(matrix, unknown, boundary)
        rows.append(
            {**common, "protocol": protocol, **measures(matrix, vocabulary.names), "metrics": metrics}
        )
    return rows


def _common(
    job: EvaluateJob, dataset: str, results: Sequence[ShardScores], weights: Mapping[str, str]
) -> dict[str, Any]:
    judge, subject = job.judge, job.subject
    teacher = isinstance(subject, SegmenterConfig)
    return {
        "subject": "teacher" if teacher else "student",
        "subject_id": results[0].subject_id,
        "mode": subject.options.get("mode") if isinstance(subject, SegmenterConfig) else None,
        "weights": json.dumps(dict(weights), sort_keys=True),
        "vocabulary": judge.vocabulary.name,
        "vocabulary_hash": judge.vocabulary.hash,
        "dataset": dataset,
        "dataset_uri": job.reader.uri,
        "images": sum(len(result.images) for result in results),
        "details": json.dumps(_details(job, results), sort_keys=True),
    }


def _details(job: EvaluateJob, results: Sequence[ShardScores]) -> dict[str, Any]:
    """Return what the protocol fixes, and whether its windows could be used."""
    found = dict(job.judge.details)
    if job.judge.reads_logits:
        found["seen"] = WINDOWS if results[0].windows else WHOLE
    found["left_out"] = sum(result.left_out for result in results)
    return {**found, **results[0].notes}


def shared(results: Sequence[ShardScores], protocol: int) -> list[dict[str, Any]]:
    """Return the metrics that are shares of what all shards hold, as ``evaluations.metrics``; one that
    nothing counts for is left out.

    Args:
        protocol: which one, by its place.
    """
    parts = [result.shares[protocol] for result in results if len(result.shares) > protocol]
    names = dict.fromkeys(name for part in parts for name in part)
    sums = {name: [part[name] for part in parts if name in part] for name in names}
    totals = {name: (sum(v for v, _ in pairs), sum(n for _, n in pairs)) for name, pairs in sums.items()}
    return [{"name": name, "value": value / count} for name, (value, count) in totals.items() if count]


def _boundary(results: Sequence[ShardScores], classes: int) -> BoundaryScores | None:
    parts = [result.boundary for result in results if result.boundary is not None]
    if not parts:
        return None
    scores = BoundaryScores(classes)
    for total, images in parts:
        scores.merge(total, images)
    return scores
