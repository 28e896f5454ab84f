"""What a run is called, when it counts as done, and the row it leaves in the ``runs`` table."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel

from ..catalogs.corpora import CorpusReader
from ..catalogs.storage import full_uri, locate
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig
from ..schemas.errors import ConfigError
from ..schemas.tables import SCHEMA_VERSION

# Where and how fast a run works; another machine must arrive at the same run id and resume the same run.
SCHEDULING = frozenset({"pool", "decode_threads", "batch_images", "crop_batch", "device"})

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LIBRARIES = ("torch", "torchvision", "open_clip_torch", "timm", "numpy", "pillow", "pyarrow", "ray", "nltk")


@dataclass(frozen=True)
class RunSummary:
    """What a stage hands back.

    Args:
        version: the catalog version that shows the run.
        counts: what -> how many, over the whole run and not only this call.
        seconds: wall time of this call.
        resumed: the run was finished before and nothing was done.
    """

    kind: str
    run_id: str
    version: int
    counts: dict[str, int]
    seconds: float
    resumed: bool = False
    corpus: str | None = None


@dataclass(frozen=True)
class RunHead:
    """What is known of a run before it starts.

    Args:
        config: the whole configuration, stored for people.
        config_hash: of the part that decides the result (:func:`results_hash`).
        reading: how the corpus was read, for whoever reads its images again.
        parent_run_id: the run whose output this one reads.

    Raises:
        ConfigError: the run id cannot be part of a path.
    """

    kind: str
    run_id: str
    config: BaseModel
    config_hash: str
    corpus: str | None = None
    corpus_uri: str | None = None
    reading: CorpusConfig | None = None
    corpus_fingerprint: str | None = None
    parent_run_id: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if not _RUN_ID.fullmatch(self.run_id):
            raise ConfigError(
                f"run id {self.run_id!r} cannot name a folder: use at most 100 letters, digits, '.', '_', '-'"
            )


@dataclass(frozen=True)
class RunEnd:
    """How a run ended: ``reason`` says why it failed and is None where it finished."""

    counts: Mapping[str, int]
    weights: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None


def results_hash(config: BaseModel, *parts: str) -> str:
    """Return 16 hex digits over what decides a result: the configuration without its ``SCHEDULING`` fields
    (at any depth), and further parts such as a vocabulary's hash or the sha256 of weights.
    """
    return _digest([_without_scheduling(config.model_dump(mode="json")), *parts])


def default_run_id(kind: str, *parts: str) -> str:
    """Return ``kind-`` and 16 hex digits over the parts: the same work has the same run id."""
    return f"{kind}-{_digest([kind, *parts])}"


def finished_run(catalog: Catalog, head: RunHead) -> RunSummary | None:
    """Return the summary of this very run if it is finished in the catalog, None if work is left.

    Raises:
        ConfigError: the run id is taken by a run of another kind, configuration or state of the corpus.
    """
    row = catalog.run(head.run_id)
    if row is None:
        return None
    for column, what in (
        ("kind", "a run of another kind"),
        ("config_hash", "another configuration, vocabulary or weights"),
        ("corpus_fingerprint", "another corpus, or the corpus has changed since"),
    ):
        if row[column] != getattr(head, column):
            raise ConfigError(
                f"run id {head.run_id!r} exists with {what} "
                f"({row[column]!r}, now {getattr(head, column)!r}); choose "
                "another run id, or leave it out to get one that follows from the configuration"
            )
    if row["status"] != "finished":
        return None
    counts = {name: int(number) for name, number in row["counts"].items()}
    return RunSummary(head.kind, head.run_id, catalog.version(), counts, 0.0, True, head.corpus)


def claim_run(catalog: Catalog, head: RunHead) -> None:
    """Put a run on record as not finished before it starts.

    Needed where a person chose the run id: should the driver be killed, the id still cannot be taken up with
    another configuration, which would mix two results in one run.
    """
    if catalog.run(head.run_id) is None:
        catalog.publish(run_row(head, RunEnd({}, reason="started, and not finished yet")), head.run_id)


def run_row(head: RunHead, end: RunEnd) -> dict[str, Any]:
    """Return the row of ``runs`` for :meth:`Catalog.publish`, which fills in ``table_versions``."""
    finished_at = datetime.now(UTC)
    return {
        "kind": head.kind,
        "status": "failed" if end.reason else "finished",
        "reason": end.reason,
        "corpus": head.corpus,
        "corpus_uri": head.corpus_uri,
        "corpus_config": head.reading.model_dump_json() if head.reading else None,
        "corpus_fingerprint": head.corpus_fingerprint,
        "parent_run_id": head.parent_run_id,
        "config": json.dumps(head.config.model_dump(mode="json"), sort_keys=True),
        "config_hash": head.config_hash,
        "weights": json.dumps(dict(end.weights), sort_keys=True),
        "code_version": version("maskmill"),
        "libraries": json.dumps(library_versions(), sort_keys=True),
        "schema_version": SCHEMA_VERSION,
        "counts": json.dumps(dict(end.counts), sort_keys=True),
        "started_at": head.started_at,
        "finished_at": finished_at,
        "seconds": (finished_at - head.started_at).total_seconds(),
    }


def remembered(corpus: CorpusConfig, reader: CorpusReader) -> CorpusConfig:
    """Return how to read the whole corpus again from any working folder; a limit was this call's own."""
    images = full_uri(*locate(corpus.images)) if corpus.images is not None else None
    return corpus.model_copy(update={"uri": reader.uri, "name": reader.name, "images": images, "limit": None})


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that can change a result."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _without_scheduling(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: _without_scheduling(value) for name, value in body.items() if name not in SCHEDULING}
    return body


def _digest(body: list[Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
