"""A progress that remembers what it was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Watcher:
    """Remembers stages, counts and lines; may act on each advance, or interrupt the run after some of them.

    Args:
        on_advance: called on each advance.
        stop_after: how much is done when the run is interrupted; default: never.
    """

    def __init__(self, on_advance: Callable[[], None] = lambda: None, stop_after: int | None = None) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int]] = []
        self.counts: Counter[str] = Counter()
        self.done = 0
        self._on_advance, self._stop_after = on_advance, stop_after

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self.stages.append((stage, total))

    def advance(self, done: int, **counts: int) -> None:
        self.done += done
        for name, number in counts.items():
            self.counts[name] += number
        self._on_advance()
        if self._stop_after is not None and self.done >= self._stop_after:
            raise KeyboardInterrupt

    def finish(self) -> None:
        self.stages.append(("finished", 0))

    def say(self, line: str) -> None:
        self.said.append(line)
