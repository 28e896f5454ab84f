"""The pool's workers as Ray actors; the only file that imports ray.

Explicit actors and not tasks, so that a model is loaded once per worker and not once per item.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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
from .dispatch import Dispatcher
from .pool import Failure, Item, Ledger, PoolEvent, PoolStats, Result, call, start_worker

_KNOCK = 10.0
_OBJECT_STORE = 128 * 2**20  # only paths and summaries cross it; Ray's default is 30 % of the memory

_holders = 0
_connected_here = False


@contextmanager
def session() -> Iterator[None]:
    """Leave, at the outermost exit, the Ray that was started or joined inside, and no other."""
    global _holders, _connected_here
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        if _holders == 0 and _connected_here:
            _connected_here = False
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
            resources = ray.cluster_resources()
            gpus = int(resources.get("GPU", 0)) if gpu else 0
            cores = int(resources.get("CPU", 1))
            number = min(config.workers or gpus or cores, len(items))
            workers = _Actors(factory, number, cores, gpus)
            ledger = Ledger(len(items), config, on_event)
            return Dispatcher(workers, number, items, config, ledger).run()
        except RayError as err:
            raise StageError(f"Ray failed, finished shards are kept: {_reason(err)}") from err


class _Worker:
    """The actor."""

    def load(self, factory: Callable[[], Callable[[Any], Any]], threads: int) -> Failure | None:
        try:
            self._call = start_worker(factory)
        except MaskmillError as err:
            return Failure("stage", str(err), err)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        return None

    def call(self, item: Any) -> Any:
        return call(self._call, item)


class _Actors:
    """The dispatcher's workers: an actor each, with its share of the cluster's cores and GPUs."""

    def __init__(
        self, factory: Callable[[], Callable[[Any], Any]], number: int, cores: int, gpus: int
    ) -> None:
        threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, cores // number))
        share = 1 / math.ceil(number / gpus) if gpus else 0
        self._load = (ray.put(factory), threads)
        self._actor: Any = ray.remote(_Worker).options(
            num_cpus=1, num_gpus=share, max_restarts=0, max_task_retries=0
        )

    def start(self) -> tuple[Any, Any]:
        actor = self._actor.remote()
        return actor, actor.load.remote(*self._load)

    def submit(self, worker: Any, item: Any) -> Any:
        return worker.call.remote(item)

    def ready(self, references: Sequence[Any], seconds: float) -> set[Any]:
        references = list(references)
        if not ray.wait(references, num_returns=1, timeout=seconds)[0]:
            return set()
        return set(ray.wait(references, num_returns=len(references), timeout=0)[0])

    def outcome(self, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except RayTaskError as err:  # something cannot be pickled or unpickled
            return Failure("item", _reason(err))
        except RayError as err:
            return Failure("worker", _reason(err))

    def stop(self, worker: Any) -> None:
        ray.kill(worker)


def _connect(config: PoolConfig) -> None:
    global _connected_here
    if ray.is_initialized():
        return
    address = config.address or os.environ.get("RAY_ADDRESS")
    if address and address != "local":
        _join(address)
    else:
        _start_local(config.workers)
    _connected_here = True


def _join(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), _KNOCK).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError) as err:
        raise StageError(f"no Ray cluster answers at {address!r}: {err}") from err


def _start_local(workers: int | None) -> None:
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


def _reason(error: RayError) -> str:
    """Return one line for a fault of the machinery; Ray's own text fills a screen."""
    if isinstance(error, OutOfMemoryError):
        return "the machine ran out of memory, and Ray ended the worker"
    cause = re.search(r"actor is dead because (.+?)\.", str(error))
    if cause:
        return f"{cause.group(1)}: killed, out of memory, or crashed in native code"
    return f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
