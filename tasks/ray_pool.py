"""The pool's workers as Ray actors; the only file that imports ray.

Explicit actors and not tasks, so that a model is loaded once per worker and not once per item. At most two
items are in flight per actor: one runs, the next waits at its side. Calls of an actor run in order, so the
oldest is the one that runs; only it counts a failure when the actor dies.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic

# Read by Ray when it is imported: no usage reports; no environment of its own per worker under `uv run`;
# a worker without a GPU keeps its CUDA_VISIBLE_DEVICES; no words about dead workers on the driver's stdout,
# since the pool reports them.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed")

import ray
from ray._private import ray_constants
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from ..schemas.config import PoolConfig
from ..schemas.errors import MaskmillError, StageError
from .pool import Failure, Item, Ledger, PoolEvent, PoolStats, Result, call, one_line, start_worker

_IN_FLIGHT = 2
_TICK = 0.5
_OBJECT_STORE = 128 * 2**20  # only paths and summaries cross it; Ray's default is 30 % of the memory

_holders = 0
_started_here = False


class _Worker:
    """The actor: what the factory makes, and nothing that Ray would have to restart."""

    def load(self, factory: Callable[[], Callable[[Any], Any]], threads: int) -> MaskmillError | None:
        try:
            self._call = start_worker(factory)
        except MaskmillError as err:
            return err
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        return None

    def call(self, item: Any) -> Any:
        return call(self._call, item)


@dataclass
class _Slot:
    """One actor, and the calls under way on it, oldest first; ``since`` is when the oldest began to run."""

    actor: Any
    loading: Any
    calls: deque[tuple[int, Any]] = field(default_factory=deque)
    since: float = 0.0

    @property
    def head(self) -> Any:
        """The reference that is ready next, None if the actor is idle."""
        if self.loading is not None:
            return self.loading
        return self.calls[0][1] if self.calls else None


@contextmanager
def session() -> Iterator[None]:
    """Shut down, at the outermost exit, the local Ray that was started inside; leave any other alone."""
    global _holders, _started_here
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        if _holders == 0 and _started_here:
            _started_here = False
            ray.shutdown()


def run_on_ray(
    factory: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    config: PoolConfig,
    on_event: Callable[[PoolEvent[Item, Result]], None],
    gpu: bool,
) -> PoolStats:
    """Do what :func:`maskmill.tasks.pool.run_pool` says, on Ray."""
    with session():
        try:
            _connect(config)
            dispatcher = _Dispatcher(factory, items, config, on_event, gpu)
            try:
                return dispatcher.run()
            finally:
                dispatcher.stop()
        except RayError as err:
            raise StageError(f"Ray failed, finished shards are kept: {_reason(err)}") from err


class _Dispatcher(Generic[Item, Result]):
    def __init__(
        self,
        factory: Callable[[], Callable[[Item], Result]],
        items: Sequence[Item],
        config: PoolConfig,
        on_event: Callable[[PoolEvent[Item, Result]], None],
        gpu: bool,
    ) -> None:
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if gpu else 0
        cores = int(resources.get("CPU", 1))
        self._workers = min(config.workers or gpus or cores, len(items))
        threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, cores // self._workers))
        self._load = (ray.put(factory), threads)
        self._actor: Any = ray.remote(_Worker).options(
            num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=0, max_task_retries=0
        )
        self._items = items
        self._config = config
        self._ledger: Ledger[Item, Result] = Ledger(len(items), config, on_event)
        self._pending = deque(range(len(items)))
        self._failures: Counter[int] = Counter()
        self._slots: list[_Slot] = []
        self._lost_while_loading = 0
        self._began = time.monotonic()
        self._startup: float | None = None

    def run(self) -> PoolStats:
        while self._pending or any(slot.calls for slot in self._slots):
            self._hire()
            self._feed()
            done = self._wait()
            for slot in [s for s in self._slots if s.head in done]:
                self._collect(slot)
            self._expire()
        return self._ledger.stats(self._workers, self._startup or 0.0)

    def stop(self) -> None:
        for slot in self._slots:
            ray.kill(slot.actor)
        self._slots.clear()

    def _hire(self) -> None:
        """Start workers up to the number wanted, but none that would find nothing to do."""
        busy = sum(bool(slot.calls) for slot in self._slots)
        while len(self._slots) < min(self._workers, busy + len(self._pending)):
            actor = self._actor.remote()
            self._slots.append(_Slot(actor, actor.load.remote(*self._load)))

    def _feed(self) -> None:
        """Give every idle worker an item, then a second one as long as there are plenty.

        A second one behind a slow item would wait there at the end of a stage while other workers are idle.
        """
        for depth in range(_IN_FLIGHT):
            for slot in self._slots:
                if slot.loading is not None or len(slot.calls) != depth or not self._pending:
                    continue
                if depth and len(self._pending) <= self._workers:
                    return
                index = self._pending.popleft()
                if not slot.calls:
                    slot.since = time.monotonic()
                slot.calls.append((index, slot.actor.call.remote(self._items[index])))

    def _wait(self) -> set[Any]:
        heads = [slot.head for slot in self._slots if slot.head is not None]
        if ray.wait(heads, num_returns=1, timeout=_TICK)[0]:
            return set(ray.wait(heads, num_returns=len(heads), timeout=0)[0])
        return set()

    def _collect(self, slot: _Slot) -> None:
        if slot.loading is not None:
            self._loaded(slot)
            return
        index, reference = slot.calls[0]
        try:
            outcome = ray.get(reference)
        except RayTaskError as err:  # the result or an argument cannot be pickled
            outcome = Failure("item", _reason(err))
        except RayError as err:
            outcome = Failure("worker", _reason(err))
        if isinstance(outcome, Failure):
            self._failed(slot, outcome)
            return
        slot.calls.popleft()
        seconds, slot.since = time.monotonic() - slot.since, time.monotonic()
        self._ledger.finished(self._items[index], outcome, self._failures[index] + 1, seconds)

    def _loaded(self, slot: _Slot) -> None:
        try:
            error = ray.get(slot.loading)
        except RayTaskError as err:  # the factory cannot be unpickled there
            raise StageError(f"a worker could not start: {_reason(err)}") from err
        except RayError as err:
            self._dismiss(slot)
            self._lost_while_loading += 1
            if self._lost_while_loading >= self._config.shard_tries:
                raise StageError(
                    f"{self._lost_while_loading} workers in a row died while loading: {_reason(err)}"
                ) from err
            return
        self._lost_while_loading = 0
        if error is not None:
            raise error
        slot.loading = None
        if self._startup is None:
            self._startup = time.monotonic() - self._began

    def _failed(self, slot: _Slot, failure: Failure) -> None:
        index, _ = slot.calls.popleft()
        now = time.monotonic()
        seconds, slot.since = now - slot.since, now
        self._failures[index] += 1
        if failure.blame == "worker":
            self._dismiss(slot)
        if self._ledger.failed(self._items[index], failure, self._failures[index], seconds):
            self._pending.append(index)

    def _dismiss(self, slot: _Slot) -> None:
        """End a worker; what waited at its side goes back to the front, without a failure of its own."""
        ray.kill(slot.actor)
        self._slots.remove(slot)
        self._pending.extendleft(index for index, _ in reversed(slot.calls))

    def _expire(self) -> None:
        limit, now = self._config.shard_timeout, time.monotonic()
        for slot in list(self._slots):
            late = slot.calls and now - slot.since > limit
            if late and not ray.wait([slot.head], timeout=0)[0]:
                self._failed(slot, Failure("worker", f"took longer than the limit of {limit:g} s per shard"))
        if self._startup is None and now - self._began > limit:
            raise StageError(
                f"no worker was ready within {limit:g} s; the cluster has {ray.cluster_resources()}"
            )


def _connect(config: PoolConfig) -> None:
    if ray.is_initialized():
        return
    address = config.address or os.environ.get("RAY_ADDRESS")
    if address and address != "local":
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError) as err:
            raise StageError(f"no Ray cluster answers at {address!r}: {one_line(err)}") from err
    else:
        _start_local(config.workers)


def _start_local(workers: int | None) -> None:
    global _started_here
    # Ray listens on every interface unless it takes this machine for one that cannot be part of a cluster.
    clusters, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        ray.init(
            address="local",
            num_cpus=max(workers, os.cpu_count() or 1) if workers else None,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_OBJECT_STORE,
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters
    _started_here = True


def _reason(error: RayError) -> str:
    """Return one line for a fault of the machinery; Ray's own text fills a screen."""
    if isinstance(error, OutOfMemoryError):
        return "the machine ran out of memory, and Ray ended the worker"
    cause = re.search(r"actor is dead because (.+?)\.", str(error))
    if cause:
        return f"the worker died: {cause.group(1)} (killed, out of memory or crashed in native code)"
    return f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
