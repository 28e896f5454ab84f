"""Prepare items in threads ahead of whoever consumes them, so that decoding hides behind the forward pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

_POLL = 0.1


def map_ahead(
    function: Callable[[In], Out], items: Iterable[In], threads: int, depth: int
) -> Generator[Out, None, None]:
    """Yield ``function(item)`` in the order of ``items``, computed up to ``depth`` items ahead.

    ``items`` is read in a thread of its own and ``function`` runs in ``threads`` others. What either raises
    comes out here, after the results before it. Closing the iterator early ends the threads.
    """
    ready: Queue[Future[Out] | None] = Queue(maxsize=depth)
    stop = threading.Event()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as workers:
        feeder = threading.Thread(target=_feed, args=(function, items, workers, ready, stop), daemon=True)
        feeder.start()
        try:
            while (future := ready.get()) is not None:
                yield future.result()
        finally:
            stop.set()
            feeder.join()


def _feed(
    function: Callable[[In], Out],
    items: Iterable[In],
    workers: ThreadPoolExecutor,
    ready: Queue[Future[Out] | None],
    stop: threading.Event,
) -> None:
    try:
        for item in items:
            if not _put(ready, workers.submit(function, item), stop):
                return
    except BaseException as err:  # noqa: BLE001  (it is raised again where the results are consumed)
        failed: Future[Out] = Future()
        failed.set_exception(err)
        _put(ready, failed, stop)
        return
    _put(ready, None, stop)


def _put(ready: Queue[Future[Out] | None], entry: Future[Out] | None, stop: threading.Event) -> bool:
    """Put unless the consumer has stopped; return whether it was put."""
    while not stop.is_set():
        try:
            ready.put(entry, timeout=_POLL)
        except Full:
            continue
        return True
    return False
