"""Spread the items of a stage over workers that load a model once; this half needs no Ray.

What becomes of an item:

* its call returns: event ``done``;
* the worker breaks under it (its process dies, memory runs out, the time limit passes, :class:`WorkerFault`):
  event ``requeued`` and a new worker; ``quarantined`` after ``shard_tries`` such failures;
* its call raises ``CorpusError``, ``OSError`` or any other exception about the item: ``quarantined`` at once,
  since the same input would raise it again;
* its call raises another ``MaskmillError`` (disk full, weights that do not fit): the stage is at fault, not
  the item, and the error ends the stage with its type and text.

More quarantined items than ``error_limit`` allows end the stage as soon as that is certain.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from ..schemas.config import PoolConfig
from ..schemas.errors import CorpusError, MaskmillError, SampleError, StageError

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerFault(Exception):  # noqa: N818  (it is about the worker, not an error of the item)
    """Raised by a call when its worker cannot go on, e.g. after a CUDA error; the item is tried anew."""


@dataclass(frozen=True)
class Failure:
    """An exception as it travels from a worker: who is to blame, one line of text, and what ends a stage."""

    blame: Literal["item", "worker", "stage"]
    reason: str
    error: MaskmillError | None = None


@dataclass(frozen=True)
class PoolEvent(Generic[Item, Result]):
    """What became of one item.

    Args:
        result: of a ``done`` item.
        reason: one line, of a ``requeued`` or ``quarantined`` item.
        tries: calls that were begun for the item so far.
        seconds: running time of the last call as the driver saw it.
    """

    kind: Literal["done", "requeued", "quarantined"]
    item: Item
    result: Result | None = None
    reason: str = ""
    tries: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class PoolStats:
    """Totals of one :func:`run_pool`; ``startup_seconds`` is the time until a worker could take an item."""

    items: int
    done: int
    quarantined: int
    requeued: int
    workers: int
    startup_seconds: float
    seconds: float


def run_pool(
    factory: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    config: PoolConfig,
    on_event: Callable[[PoolEvent[Item, Result]], None],
    gpu: bool = False,
) -> PoolStats:
    """Call a worker on every item.

    Args:
        factory: called once per worker to build what is called on each item; pickled to the workers by Ray.
        items: small and picklable; they may finish in any order.
        config: backend, number of workers, limits.
        on_event: called in the driver, one event at a time; what it raises ends the pool.
        gpu: give each worker a GPU of its own where the cluster has any.

    Raises:
        StageError: a worker could not start, or too many items were quarantined.
        MaskmillError: the factory or an item raised it about the stage as a whole.
    """
    if not items:
        return PoolStats(0, 0, 0, 0, 0, 0.0, 0.0)
    if config.backend == "inline":
        return _run_inline(factory, items, config, on_event)
    from . import ray_pool

    return ray_pool.run_on_ray(factory, items, config, on_event, gpu)


@contextmanager
def session(config: PoolConfig) -> Iterator[None]:
    """Keep the local Ray that a :func:`run_pool` inside starts, for stages that follow one another."""
    if config.backend == "inline":
        yield
        return
    from . import ray_pool

    with ray_pool.session():
        yield


class Ledger(Generic[Item, Result]):
    """Counts what became of the items, reports it, and ends the stage where too much went wrong."""

    def __init__(
        self, items: int, config: PoolConfig, on_event: Callable[[PoolEvent[Item, Result]], None]
    ) -> None:
        self._items = items
        self._config = config
        self._on_event = on_event
        self._began = time.monotonic()
        self.done = self.quarantined = self.requeued = 0

    def finished(self, item: Item, result: Result, tries: int, seconds: float) -> None:
        self.done += 1
        self._on_event(PoolEvent("done", item, result, tries=tries, seconds=seconds))

    def failed(self, item: Item, failure: Failure, tries: int, seconds: float) -> bool:
        """An item's call failed; return whether the item is to be tried again, on a new worker."""
        if failure.error is not None:
            raise failure.error
        reason = failure.reason
        if failure.blame == "worker" and tries < self._config.shard_tries:
            self.requeued += 1
            self._on_event(PoolEvent("requeued", item, None, reason, tries, seconds))
            return True
        if tries > 1:
            reason += f" (after {tries} tries)"
        self._quarantine(PoolEvent("quarantined", item, None, reason, tries, seconds))
        return False

    def stats(self, workers: int, startup_seconds: float) -> PoolStats:
        seconds = time.monotonic() - self._began
        return PoolStats(
            self._items, self.done, self.quarantined, self.requeued, workers, startup_seconds, seconds
        )

    def _quarantine(self, event: PoolEvent[Item, Result]) -> None:
        self.quarantined += 1
        self._on_event(event)
        if self.quarantined > self._config.error_limit * self._items:
            raise StageError(
                f"{self.quarantined} of {self._items} shards failed, more than the limit of "
                f"{self._config.error_limit:.0%}; the last one: {event.reason}. "
                "Mend the cause and run again: finished shards are kept"
            )


def judge(error: Exception) -> Failure:
    """Say who is to blame for an exception of an item's call."""
    if isinstance(error, WorkerFault):
        return Failure("worker", str(error))
    if isinstance(error, CorpusError | SampleError):
        return Failure("item", str(error))
    if isinstance(error, MaskmillError):
        return Failure("stage", str(error), error)
    return Failure("item", one_line(error))


def one_line(error: Exception) -> str:
    """Return type, text and place of an exception."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, OSError) or not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})"


def start_worker(factory: Callable[[], Callable[[Item], Result]]) -> Callable[[Item], Result]:
    """Call the factory; whatever it raises comes out as a ``MaskmillError``."""
    try:
        return factory()
    except MaskmillError:
        raise
    except Exception as err:
        raise StageError(f"a worker could not start: {one_line(err)}") from err


def _run_inline(
    factory: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    config: PoolConfig,
    on_event: Callable[[PoolEvent[Item, Result]], None],
) -> PoolStats:
    ledger = Ledger(len(items), config, on_event)
    began = time.monotonic()
    worker = start_worker(factory)
    startup_seconds = time.monotonic() - began
    for item in items:
        tries = 0
        while True:
            tries, began = tries + 1, time.monotonic()
            outcome = call(worker, item)
            seconds = time.monotonic() - began
            if not isinstance(outcome, Failure):
                ledger.finished(item, outcome, tries, seconds)
                break
            if outcome.blame == "worker":
                worker = start_worker(factory)
            if not ledger.failed(item, outcome, tries, seconds):
                break
    return ledger.stats(1, startup_seconds)


def call(worker: Callable[[Item], Result], item: Item) -> Result | Failure:
    """Call a worker on an item; what it raises is returned."""
    try:
        return worker(item)
    except Exception as err:  # noqa: BLE001  (a worker may raise anything; the ledger accounts for all of it)
        return judge(err)
