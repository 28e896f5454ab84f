"""Who watches a stage inside a flow: a progress artifact in Prefect, beside the command line's watcher."""

from __future__ import annotations

import time
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_run_logger

from ..tasks.progress import Progress
from .watchers import WATCHER, LineProgress, Meter, Together


class ArtifactProgress:
    """One Prefect progress artifact per stage, updated at most every two seconds."""

    def __init__(self, every: float = 2.0) -> None:
        self._every = every
        self._artifact: UUID | None = None
        self._meter: Meter | None = None
        self._last = 0.0

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self._meter, self._last = Meter(stage, total, unit), time.monotonic()
        created = create_progress_artifact(progress=0.0, key=slug(stage), description=stage)
        self._artifact = created if isinstance(created, UUID) else None

    def advance(self, done: int, **counts: int) -> None:
        if self._meter is None:
            return
        self._meter.add(done, counts)
        if time.monotonic() - self._last >= self._every:
            self._update()

    def finish(self) -> None:
        if self._meter is not None:
            self._update()
        self._meter = self._artifact = None

    def say(self, line: str) -> None:
        pass

    def _update(self) -> None:
        self._last = time.monotonic()
        if self._artifact is not None and self._meter is not None:
            update_progress_artifact(
                artifact_id=self._artifact,
                progress=min(100.0, 100.0 * self._meter.fraction),
                description=self._meter.line(),
            )


def stage_progress() -> Progress:
    """Return the watcher of the stage that is about to run in this flow or task."""
    in_run = FlowRunContext.get() is not None or TaskRunContext.get() is not None
    watcher = WATCHER.get()
    if watcher is None:
        watcher = LineProgress(get_run_logger().info if in_run else print)
    return Together(watcher, ArtifactProgress()) if in_run else watcher


def slug(text: str) -> str:
    """Return ``text`` as an artifact key: lower-case letters, digits and dashes."""
    return (
        "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in text.lower()).split()) or "stage"
    )
