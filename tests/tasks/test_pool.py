"""The semantics of the pool, on the inline backend; test_ray_pool.py runs the same workers on Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maskmill.schemas.config import PoolConfig
from maskmill.schemas.errors import CatalogError, CorpusError, StageError, WeightsError
from maskmill.tasks.pool import PoolEvent, PoolStats, WorkerFault, run_pool


def run(
    worker: Callable[[Any], Any], items: list[Any], **settings: Any
) -> tuple[PoolStats, list[PoolEvent[Any, Any]]]:
    events: list[PoolEvent[Any, Any]] = []
    config = PoolConfig(backend="inline", **{"error_limit": 1.0, **settings})
    return run_pool(lambda: worker, items, config, events.append), events


def raising(error: Exception) -> Callable[[Any], Any]:
    def worker(item: Any) -> Any:
        if item == "bad":
            raise error
        return item

    return worker


def test_every_item_is_done_once() -> None:
    stats, events = run(lambda item: item * 2, [1, 2, 3])
    assert [(event.kind, event.item, event.result) for event in events] == [
        ("done", 1, 2),
        ("done", 2, 4),
        ("done", 3, 6),
    ]
    assert (stats.items, stats.done, stats.quarantined, stats.requeued) == (3, 3, 0, 0)


def test_no_item_means_no_worker() -> None:
    def factory() -> Callable[[Any], Any]:
        raise AssertionError("a model would be loaded for nothing")

    assert run_pool(factory, [], PoolConfig(backend="inline"), print).items == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CorpusError("shard 3 is gone"), "shard 3 is gone"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (KeyError("x"), "KeyError: 'x' (test_pool.py:"),
    ],
)
def test_an_error_about_an_item_quarantines_it_at_once(error: Exception, reason: str) -> None:
    stats, events = run(raising(error), ["a", "bad", "b"])
    assert [event.kind for event in events] == ["done", "quarantined", "done"]
    assert events[1].reason.startswith(reason)
    assert events[1].tries == 1
    assert stats.quarantined == 1


def test_an_error_about_the_stage_ends_it_with_its_type() -> None:
    with pytest.raises(CatalogError, match="disk full"):
        run(raising(CatalogError("disk full")), ["a", "bad", "b"])


def test_a_broken_worker_is_replaced_and_the_item_tried_again() -> None:
    built: list[int] = []
    config = PoolConfig(backend="inline", shard_tries=3, error_limit=1.0)
    events: list[PoolEvent[Any, Any]] = []

    def factory() -> Callable[[Any], Any]:
        built.append(1)

        def worker(item: str) -> str:
            if item == "bad" and len(built) < 3:
                raise WorkerFault("CUDA error")
            return item

        return worker

    stats = run_pool(factory, ["a", "bad", "b"], config, events.append)
    assert [event.kind for event in events] == ["done", "requeued", "requeued", "done", "done"]
    assert [event.tries for event in events] == [1, 1, 2, 3, 1]
    assert (stats.done, stats.requeued, len(built)) == (3, 2, 3)


def test_an_item_that_breaks_every_worker_is_quarantined() -> None:
    stats, events = run(raising(WorkerFault("CUDA error")), ["bad", "b"], shard_tries=2)
    assert [event.kind for event in events] == ["requeued", "quarantined", "done"]
    assert events[1].reason == "CUDA error (after 2 tries)"
    assert stats.done == 1


def test_too_many_quarantined_items_end_the_stage_as_soon_as_it_is_certain() -> None:
    done: list[Any] = []

    def worker(item: int) -> int:
        done.append(item)
        raise CorpusError(f"shard {item} is gone")

    with pytest.raises(StageError, match=r"3 of 10 shards failed.*20%.*shard 2 is gone"):
        run(worker, list(range(10)), error_limit=0.2)
    assert done == [0, 1, 2]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (WeightsError("no weights at /nowhere"), WeightsError, "^no weights at /nowhere$"),
        (
            RuntimeError("no kernel image"),
            StageError,
            "a worker could not start: RuntimeError: no kernel image",
        ),
    ],
)
def test_a_factory_that_raises_ends_the_stage_with_its_words(
    error: Exception, kind: type[Exception], text: str
) -> None:
    def factory() -> Callable[[Any], Any]:
        raise error

    with pytest.raises(kind, match=text):
        run_pool(factory, [1], PoolConfig(backend="inline"), print)


def test_what_the_listener_raises_ends_the_pool() -> None:
    def listener(event: PoolEvent[Any, Any]) -> None:
        raise StageError("enough")

    with pytest.raises(StageError, match="enough"):
        run_pool(lambda: str, [1, 2], PoolConfig(backend="inline"), listener)
