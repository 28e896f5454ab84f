"""Feed items to workers in other processes, and replace the workers that are lost.

At most two items are in flight per worker: one runs, the next waits at its side. Calls of a worker run in
order, so the oldest is the one that runs; only it counts a failure when the worker is lost.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from ..schemas.config import PoolConfig
from ..schemas.errors import StageError
from .pool import Failure, Item, Ledger, PoolStats, Result

_IN_FLIGHT = 2
_TICK = 0.5
_START_LIMIT = 600.0  # a worker may have to fetch its weights, or wait for a node to join


class Workers(Protocol):
    """What the dispatcher asks of a backend; worker and reference are whatever the backend takes them for."""

    def start(self) -> tuple[Any, Any]:
        """Start a worker; return it, and the reference of its loading, whose outcome is None or a failure."""

    def submit(self, worker: Any, item: Any) -> Any:
        """Queue an item's call behind those that the worker has; return its reference."""

    def ready(self, references: Sequence[Any], seconds: float) -> set[Any]:
        """Return the references that are ready, as soon as one is or the time is up."""

    def outcome(self, reference: Any) -> Any:
        """Return the result behind a reference that is ready, or a ``Failure``."""

    def stop(self, worker: Any) -> None:
        """End a worker at once, whatever it does."""


@dataclass
class _Slot:
    """One worker, and its calls under way, oldest first; ``since`` is when the oldest began to run."""

    worker: Any
    loading: Any
    calls: deque[tuple[int, Any]] = field(default_factory=deque)
    since: float = 0.0

    @property
    def head(self) -> Any:
        """The reference that is ready next, None if the worker is idle."""
        if self.loading is not None:
            return self.loading
        return self.calls[0][1] if self.calls else None


class Dispatcher(Generic[Item, Result]):
    """Runs the items of one stage on up to ``number`` workers."""

    def __init__(
        self,
        workers: Workers,
        number: int,
        items: Sequence[Item],
        config: PoolConfig,
        ledger: Ledger[Item, Result],
    ) -> None:
        self._workers = workers
        self._number = number
        self._items = items
        self._config = config
        self._ledger = ledger
        self._pending = deque(range(len(items)))
        self._failures: Counter[int] = Counter()
        self._slots: list[_Slot] = []
        self._lost_while_loading = 0
        self._began = time.monotonic()
        self._startup: float | None = None

    def run(self) -> PoolStats:
        """Return when every item is done or quarantined; whatever is raised, no worker is left."""
        try:
            while self._pending or any(slot.calls for slot in self._slots):
                self._hire()
                self._feed()
                self._collect()
                self._expire()
        finally:
            for slot in self._slots:
                self._workers.stop(slot.worker)
        return self._ledger.stats(self._number, self._startup or 0.0)

    def _hire(self) -> None:
        """Start workers up to the number wanted, but none that would find nothing to do."""
        busy = sum(bool(slot.calls) for slot in self._slots)
        while len(self._slots) < min(self._number, busy + len(self._pending)):
            self._slots.append(_Slot(*self._workers.start()))

    def _feed(self) -> None:
        """Give every idle worker an item, then a second one as long as there are plenty.

        A second one behind a slow item would wait there at the end of a stage while other workers are idle.
        """
        for depth in range(_IN_FLIGHT):
            for slot in self._slots:
                if slot.loading is not None or len(slot.calls) != depth or not self._pending:
                    continue
                if depth and len(self._pending) <= self._number:
                    return
                index = self._pending.popleft()
                if not slot.calls:
                    slot.since = time.monotonic()
                slot.calls.append((index, self._workers.submit(slot.worker, self._items[index])))

    def _collect(self) -> None:
        heads = [slot.head for slot in self._slots if slot.head is not None]
        ready = self._workers.ready(heads, _TICK)
        for slot in [s for s in self._slots if s.head in ready]:
            outcome = self._workers.outcome(slot.head)
            if slot.loading is not None:
                self._loaded(slot, outcome)
            elif isinstance(outcome, Failure):
                self._failed(slot, outcome)
            else:
                index, seconds = self._next(slot)
                self._ledger.finished(self._items[index], outcome, self._failures[index] + 1, seconds)

    def _loaded(self, slot: _Slot, failure: Failure | None) -> None:
        if failure is None:
            slot.loading = None
            self._lost_while_loading = 0
            if self._startup is None:
                self._startup = time.monotonic() - self._began
            return
        if failure.blame != "worker":
            raise failure.error or StageError(f"a worker could not start: {failure.reason}")
        self._dismiss(slot)
        self._lost_while_loading += 1
        if self._lost_while_loading >= self._config.shard_tries:
            lost = self._lost_while_loading
            raise StageError(f"{lost} workers in a row were lost while loading: {failure.reason}")

    def _failed(self, slot: _Slot, failure: Failure) -> None:
        index, seconds = self._next(slot)
        self._failures[index] += 1
        if failure.blame == "worker":
            self._dismiss(slot)
        if self._ledger.failed(self._items[index], failure, self._failures[index], seconds):
            self._pending.append(index)

    def _next(self, slot: _Slot) -> tuple[int, float]:
        """Take the oldest call off a worker; return its item and how long it ran."""
        index, _ = slot.calls.popleft()
        now = time.monotonic()
        seconds, slot.since = now - slot.since, now
        return index, seconds

    def _dismiss(self, slot: _Slot) -> None:
        """End a worker; what waited at its side goes back to the front, without a failure of its own."""
        self._workers.stop(slot.worker)
        self._slots.remove(slot)
        self._pending.extendleft(index for index, _ in reversed(slot.calls))

    def _expire(self) -> None:
        limit, now = self._config.shard_timeout, time.monotonic()
        for slot in list(self._slots):
            late = slot.calls and now - slot.since > limit
            if late and not self._workers.ready([slot.head], 0):
                self._failed(slot, Failure("worker", f"took longer than the limit of {limit:g} s per shard"))
        limit = max(limit, _START_LIMIT)
        if self._startup is None and now - self._began > limit:
            raise StageError(f"no worker was ready within {limit:g} s: are there free cores and GPUs?")
