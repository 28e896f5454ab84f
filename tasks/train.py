"""The training stage: one student from the pseudo-masks of one pinned catalog version."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalogs.datasets import MaskDataset
from ..catalogs.files import read_files, write_rows
from ..catalogs.store import Catalog
from ..schemas.config import TrainConfig
from ..schemas.tables import PARTITION
from .progress import SILENT, Progress
from .runs import RunEnd, RunHead, RunSummary, default_run_id, results_hash, run_row

if TYPE_CHECKING:
    from .train_loop import Fitted

STUDENT_FILE = "student.safetensors"
RECORD_FILE = "train.json"
CHECKPOINT_FILE = "checkpoint.pt"
_HISTORY_POINTS = 200


class TrainRecord(TrainConfig):
    """What a train run stores as its configuration: with it, the reviews whose masks it preferred."""

    review_run_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainSummary:
    """What training hands back.

    Args:
        student_id: ``student:NAME@`` and 12 hex digits of the weights' sha256.
        weights: the student's file.
        catalog_version: the version that it learnt from; ``run.version`` is the one that shows its run.
        final_loss: mean loss of the last tenth of the steps.
    """

    run: RunSummary
    student_id: str
    weights: Path
    catalog_version: int
    final_loss: float


def train_run(
    catalog_uri: str, version: int | str | None, out: Path, config: TrainConfig, progress: Progress = SILENT
) -> TrainSummary:
    """Train a student, write it to ``out`` and publish it.

    What counts as the same training is the label run, the reviews that correct it, what people decided about
    its prototypes, the configuration and the encoder's weights, whichever catalog version shows the runs;
    where ``out`` holds that very student, nothing is done. An interrupted training continues from its
    checkpoint in ``out`` with the samples that it would have seen anyway.

    Args:
        version: catalog version or tag; None pins the newest.
        out: folder for ``student.safetensors`` (replaced if there is one), ``train.json`` and the checkpoint.

    Returns:
        counts: images, classes, steps.

    Raises:
        CatalogError: no such version or label run, or its images have changed or are gone.
        CorpusError, ConfigError, WeightsError: the corpus, a device or the encoder is wrong.
        StageError: the loss is not finite, or the checkpoint is damaged.
    """
    began = time.monotonic()
    catalog = Catalog.open(catalog_uri)
    dataset = MaskDataset(
        catalog_uri,
        version,
        run_id=config.label_run,
        corpus=config.corpus,
        min_score=config.min_score,
        corrections=config.corrections,
    )
    head, before = _identify(catalog, dataset, config)
    done = _trained_before(catalog, before, out / STUDENT_FILE)
    if done is not None:
        return done
    progress.say(f"learning from {_sources(dataset)} in version {dataset.version}")
    # Late: torch and open_clip take seconds to import, and a student that is trained already needs neither.
    from .train_loop import Checkpoint, train_student

    checkpoint = Checkpoint(out / CHECKPOINT_FILE, head.config_hash)
    weights = (out / STUDENT_FILE).resolve()
    fitted = train_student(dataset.classes, dataset, config, checkpoint, weights, progress)
    return _publish(_Trained(catalog, dataset, head, config, fitted), weights, began)


@dataclass(frozen=True)
class _Trained:
    catalog: Catalog
    dataset: MaskDataset
    head: RunHead
    config: TrainConfig
    fitted: Fitted


def _identify(
    catalog: Catalog, dataset: MaskDataset, config: TrainConfig
) -> tuple[RunHead, list[dict[str, Any]]]:
    """Return the head of the run to come, and the finished runs that trained the same before."""
    from ..models.encoders.weights import pinned_sha256, resolve_clip

    encoder = pinned_sha256(resolve_clip(config.encoder).file)
    deciding = config.model_copy(update={"corpus": None, "label_run": None, "loader_workers": 0})
    run, reviews = dataset.pinned.run, dataset.review_run_ids
    config_hash = results_hash(deciding, dataset.run_id, encoder, *reviews, *dataset.pinned.decided)
    before = [
        row
        for row in catalog.runs()
        if row["kind"] == "train" and row["status"] == "finished" and row["config_hash"] == config_hash
    ]
    head = RunHead(
        kind="train",
        run_id=default_run_id("train", config_hash, str(len(before))),
        config=TrainRecord(**dict(config), review_run_ids=reviews),
        config_hash=config_hash,
        corpus=run["corpus"],
        corpus_uri=run["corpus_uri"],
        corpus_fingerprint=run["corpus_fingerprint"],
        parent_run_id=dataset.run_id,
    )
    return head, before


def _sources(dataset: MaskDataset) -> str:
    reviews = dataset.review_run_ids
    return f"the masks of {dataset.run_id}" + (f", corrected by {', '.join(reviews)}," if reviews else "")


def _trained_before(catalog: Catalog, runs: Sequence[dict[str, Any]], weights: Path) -> TrainSummary | None:
    """Return the summary of the run that wrote this very file, None if none did."""
    if not runs or not weights.is_file():
        return None
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    for run in runs:
        for row in read_files("students", catalog.run_files("students", run[PARTITION])).to_pylist():
            if row["weights_sha256"] == digest:
                counts = {name: int(n) for name, n in run["counts"].items()}
                summary = RunSummary(
                    "train", run[PARTITION], catalog.version(), counts, 0.0, True, run["corpus"]
                )
                return TrainSummary(
                    summary, row["student_id"], weights, row["catalog_version"], row["final_loss"]
                )
    return None


def _publish(trained: _Trained, weights: Path, began: float) -> TrainSummary:
    fitted, dataset, head = trained.fitted, trained.dataset, trained.head
    losses = fitted.losses
    tail = losses[-max(1, len(losses) // 10) :]
    final_loss = sum(tail) / len(tail)
    row = {
        "student_id": fitted.student_id,
        "catalog_version": dataset.version,
        "label_run_id": dataset.run_id,
        "weights_uri": str(weights),
        "weights_sha256": fitted.sha256,
        "classes": list(dataset.classes),
        "images": len(dataset),
        "steps": len(losses),
        "final_loss": final_loss,
        "seconds": fitted.seconds,
    }
    record = {**row, "run_id": head.run_id, "config": head.config.model_dump(mode="json")}
    record["history"] = loss_history(losses)
    (weights.parent / RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    trained.catalog.commit([write_rows(trained.catalog.uri, "students", head.run_id, "student", [row])])
    counts = {"images": len(dataset), "classes": len(dataset.classes), "steps": len(losses)}
    version = trained.catalog.publish(run_row(head, RunEnd(counts, {"student": fitted.sha256})), head.run_id)
    summary = RunSummary("train", head.run_id, version, counts, time.monotonic() - began, False, head.corpus)
    return TrainSummary(summary, fitted.student_id, weights, dataset.version, final_loss)


def loss_history(losses: Sequence[float]) -> list[dict[str, float]]:
    """Return at most 200 points: the last step of each window, counted from 1, and the window's mean loss."""
    window = -(-len(losses) // _HISTORY_POINTS)
    parts = [losses[first : first + window] for first in range(0, len(losses), max(1, window))]
    ends = [min(len(losses), (i + 1) * window) for i in range(len(parts))]
    return [{"step": end, "loss": sum(part) / len(part)} for end, part in zip(ends, parts, strict=True)]
