"""The probe stage: what dense features of a backbone know, stored beside the evaluations of segmenters."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..catalogs.files import read_files, write_rows
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig
from ..schemas.errors import CatalogError
from ..schemas.probe_config import ProbeConfig, ProbeKind
from ..schemas.tables import PARTITION
from .probe_kinds import Measured, Probe, open_probe
from .progress import SILENT, Progress
from .runs import RunEnd, RunHead, RunSummary, default_run_id, results_hash, run_row

SUBJECT = "features"
_SEEN = frozenset({"short_side", "train", "train_split", "split", "neighbours"})  # fields told in details


@dataclass(frozen=True)
class ProbeSummary:
    """What a probe hands back.

    Args:
        subject_id: backbone and checksum.
        miou, pixel_accuracy: nan where the kind has none.
        metrics: further numbers by name; deltas are in [-1, 1], ``objects`` and ``learnt_cells`` are counts.
    """

    run: RunSummary
    kind: str
    subject_id: str
    dataset: str
    miou: float
    pixel_accuracy: float
    metrics: Mapping[str, float]

    @property
    def images(self) -> int:
        return self.run.counts["images"]

    def line(self) -> str:
        """Return one line for a person."""
        shares = {"mIoU": self.miou, "pixel accuracy": self.pixel_accuracy}
        if self.kind == "davis":
            shares = {}  # J is the mean IoU of the objects
        shares |= {name: v for name, v in self.metrics.items() if name not in ("objects", "learnt_cells")}
        numbers = ", ".join(f"{name} {100 * v:.1f}" for name, v in shares.items() if not math.isnan(v))
        return f"{self.subject_id}, {self.kind} on {self.dataset}: {numbers} on {self.images} images"


@dataclass(frozen=True)
class _Plan:
    kind: ProbeKind
    config: ProbeConfig
    probe: Probe
    weights: dict[str, str]
    config_hash: str


def probe_run(
    kind: ProbeKind,
    corpus: CorpusConfig,
    catalog_uri: str,
    config: ProbeConfig,
    progress: Progress = SILENT,
) -> ProbeSummary:
    """Judge the features of a backbone and store the result; what is stored already is only returned.

    Args:
        corpus: for ``knn`` and ``linear`` as :func:`maskmill.catalogs.ground_truth.open_dataset`, else the
            folder of DAVIS or of waterbirds.

    Raises:
        ConfigError, WeightsError, CorpusError: before any model is loaded.
        StageError: an image cannot be read, or nothing is labelled.
    """
    began = time.monotonic()
    plan = _plan(kind, corpus, config)
    catalog = Catalog.create_or_open(catalog_uri)
    before = _stored(catalog, plan)
    if before is not None:
        return _reuse(catalog, before)
    from .dense_features import load_features

    features = load_features(config)
    progress.start(f"probe {kind}", plan.probe.total, plan.probe.unit)
    try:
        measured = plan.probe.measure(features, progress)
    finally:
        progress.finish()
    weights = {**plan.weights, **features.weights}
    return _publish(catalog, plan, _row(plan, measured, features.id, weights), began)


def _plan(kind: ProbeKind, corpus: CorpusConfig, config: ProbeConfig) -> _Plan:
    probe = open_probe(kind, corpus, config)
    # Late: torch and timm take seconds to import, and data that is not there can be told without them.
    from .dense_features import feature_files

    weights = feature_files(config)
    deciding = (kind, probe.uri, probe.fingerprint, probe.vocabulary.hash, *sorted(weights.values()))
    return _Plan(kind, config, probe, weights, results_hash(config, *deciding))


def _row(plan: _Plan, measured: Measured, subject_id: str, weights: Mapping[str, str]) -> dict[str, Any]:
    """Return the row of ``evaluations``."""
    probe = plan.probe
    metrics = [{"name": n, "value": v} for n, v in measured.metrics.items() if not math.isnan(v)]
    return {
        "subject": SUBJECT,
        "subject_id": subject_id,
        "protocol": plan.kind,
        "vocabulary": probe.vocabulary.name,
        "vocabulary_hash": probe.vocabulary.hash,
        "dataset": probe.name,
        "dataset_uri": probe.uri,
        "images": measured.images,
        **measured.columns,
        "mode": None,
        "weights": json.dumps(dict(weights), sort_keys=True),
        "details": json.dumps(plan.config.model_dump(mode="json", include=set(_SEEN)), sort_keys=True),
        "metrics": metrics,
    }


def _publish(catalog: Catalog, plan: _Plan, row: dict[str, Any], began: float) -> ProbeSummary:
    head = RunHead(
        kind="probe",
        run_id=default_run_id("probe", plan.config_hash),
        config=plan.config,
        config_hash=plan.config_hash,
        corpus=plan.probe.name,
        corpus_uri=plan.probe.uri,
        corpus_fingerprint=plan.probe.fingerprint,
    )
    catalog.commit([write_rows(catalog.uri, "evaluations", head.run_id, "probe", [row])])
    counts = {"images": row["images"]}
    version = catalog.publish(run_row(head, RunEnd(counts, json.loads(row["weights"]))), head.run_id)
    seconds = time.monotonic() - began
    return _summary(RunSummary("probe", head.run_id, version, counts, seconds, False, head.corpus), row)


def _stored(catalog: Catalog, plan: _Plan) -> dict[str, Any] | None:
    """Return the finished run that judged the same, if there is one."""
    try:
        row = catalog.run(default_run_id("probe", plan.config_hash))
    except CatalogError:
        return None
    return row if row is not None and row["status"] == "finished" else None


def _reuse(catalog: Catalog, row: dict[str, Any]) -> ProbeSummary:
    counts = {name: int(n) for name, n in row["counts"].items()}
    run = RunSummary("probe", row[PARTITION], catalog.version(), counts, 0.0, True, row["corpus"])
    (stored,) = read_files("evaluations", catalog.run_files("evaluations", row[PARTITION])).to_pylist()
    return _summary(run, stored)


def _summary(run: RunSummary, row: Mapping[str, Any]) -> ProbeSummary:
    return ProbeSummary(
        run,
        row["protocol"],
        row["subject_id"],
        row["dataset"],
        row["miou"],
        row["pixel_accuracy"],
        {m["name"]: m["value"] for m in row["metrics"]},
    )
