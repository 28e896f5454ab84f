"""Who watches a stage at the command line: a bar on a terminal, plain lines elsewhere; needs no Prefect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from ..tasks.progress import Progress

# The command line puts its watcher here; without one, a flow's lines go to the Prefect logger.
WATCHER: ContextVar[Progress | None] = ContextVar("maskmill_watcher", default=None)


class Meter:
    """Where a stage stands: units, counts, rate and time left."""

    def __init__(self, stage: str, total: int, unit: str) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.done = 0
        self.counts: Counter[str] = Counter()
        self._began = time.monotonic()

    def add(self, done: int, counts: dict[str, int]) -> None:
        self.done += done
        self.counts.update(counts)

    @property
    def fraction(self) -> float:
        return self.done / self.total if self.total else 1.0

    def detail(self) -> str:
        """Return e.g. ``300 images, 812 masks, 41.0 images/s``."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        parts = [f"{number:,} {name}" for name, number in self.counts.items()]
        parts += [f"{self.counts['images'] / seconds:.1f} images/s"] if self.counts["images"] else []
        return ", ".join(parts)

    def line(self) -> str:
        """Return one plain line; the time left is extrapolated from the rate so far."""
        head = f"{self.stage}: {self.done}/{self.total} {self.unit}"
        left = (time.monotonic() - self._began) / self.done * (self.total - self.done) if self.done else None
        eta = "" if left is None or self.done == self.total else f"ETA {timedelta(seconds=round(left))}"
        return ", ".join(filter(None, (head, self.detail(), eta)))


class LineProgress:
    """Plain lines, at most one in ``every`` seconds besides the last of a stage."""

    def __init__(self, write: Callable[[str], object], every: float = 10.0) -> None:
        self._write, self._every = write, every
        self._meter: Meter | None = None
        self._last = 0.0

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self._meter, self._last = Meter(stage, total, unit), time.monotonic()

    def advance(self, done: int, **counts: int) -> None:
        if self._meter is None:
            return
        self._meter.add(done, counts)
        last = self._meter.done == self._meter.total  # `finish` writes that line
        if not last and time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._write(self._meter.line())

    def finish(self) -> None:
        if self._meter is not None:
            self._write(self._meter.line())
        self._meter = None

    def say(self, line: str) -> None:
        self._write(line)


class BarProgress:
    """A bar with rate and time left on a terminal; a finished stage stays as one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: RichProgress | None = None
        self._task = TaskID(0)
        self._meter: Meter | None = None

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self.finish()
        self._meter = Meter(stage, total, unit)
        self._bars = RichProgress(
            TextColumn("[bold]{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
            console=self._console,
        )
        self._task = self._bars.add_task(stage, total=total, unit=unit, detail="")
        self._bars.start()

    def advance(self, done: int, **counts: int) -> None:
        if self._bars is not None and self._meter is not None:
            self._meter.add(done, counts)
            self._bars.update(self._task, advance=done, detail=self._meter.detail())

    def finish(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._meter = None

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)


class Together:
    """Several watchers of one stage."""

    def __init__(self, *watchers: Progress) -> None:
        self._watchers = watchers

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        for watcher in self._watchers:
            watcher.start(stage, total, unit)

    def advance(self, done: int, **counts: int) -> None:
        for watcher in self._watchers:
            watcher.advance(done, **counts)

    def finish(self) -> None:
        for watcher in self._watchers:
            watcher.finish()

    def say(self, line: str) -> None:
        for watcher in self._watchers:
            watcher.say(line)
