"""The dispatcher over workers that a test moves by hand; no process, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from maskmill.schemas.config import PoolConfig
from maskmill.schemas.errors import StageError, WeightsError
from maskmill.tasks.dispatch import Dispatcher
from maskmill.tasks.pool import Failure, Ledger, PoolEvent

LOADED, LOST = "loaded", Failure("worker", "the worker died")


class FakeWorkers:
    """Workers 0, 1, ...; a reference is (worker, item). Of each worker one call is ready at a time."""

    def __init__(self, outcome: Callable[[int, Any], Any]) -> None:
        self._outcome = outcome
        self.queues: list[list[Any]] = []
        self.stopped: list[int] = []
        self.most_in_flight = 0

    def start(self) -> tuple[int, Any]:
        self.queues.append([])
        worker = len(self.queues) - 1
        return worker, (worker, LOADED)

    def submit(self, worker: int, item: Any) -> Any:
        self.queues[worker].append(item)
        self.most_in_flight = max(self.most_in_flight, len(self.queues[worker]))
        return (worker, item)

    def ready(self, references: Sequence[Any], seconds: float) -> set[Any]:
        return set(references[:1])

    def outcome(self, reference: Any) -> Any:
        worker, item = reference
        if item is not LOADED:
            self.queues[worker].remove(item)
        return self._outcome(worker, None if item is LOADED else item)

    def stop(self, worker: int) -> None:
        self.stopped.append(worker)


def run(
    outcome: Callable[[int, Any], Any], items: list[Any], number: int = 2, **settings: Any
) -> tuple[FakeWorkers, list[PoolEvent[Any, Any]]]:
    config = PoolConfig(**{"error_limit": 1.0, "shard_tries": 2, **settings})
    events: list[PoolEvent[Any, Any]] = []
    workers = FakeWorkers(outcome)
    Dispatcher(workers, number, items, config, Ledger(len(items), config, events.append)).run()
    return workers, events


def echo(worker: int, item: Any) -> Any:
    return item


def test_every_item_is_done_once_with_two_in_flight_per_worker() -> None:
    workers, events = run(echo, list(range(20)))
    assert sorted(event.item for event in events) == list(range(20))
    assert {event.kind for event in events} == {"done"}
    assert workers.most_in_flight == 2
    assert sorted(workers.stopped) == [0, 1]


def test_no_item_waits_behind_another_while_few_are_left() -> None:
    workers, _ = run(echo, [1, 2])
    assert workers.most_in_flight == 1


def test_no_more_workers_than_items() -> None:
    workers, _ = run(echo, [1], number=8)
    assert len(workers.queues) == 1


def test_only_the_running_item_counts_a_try_when_a_worker_is_lost() -> None:
    def first_worker_dies(worker: int, item: Any) -> Any:
        return LOST if worker == 0 and item is not None else item

    workers, events = run(first_worker_dies, list(range(6)), number=1)
    assert [event.item for event in events if event.kind == "requeued"] == [0]
    assert {event.item: event.tries for event in events if event.kind == "done"} == {
        0: 2,
        **dict.fromkeys(range(1, 6), 1),
    }
    assert workers.stopped == [0, 1]


def test_an_item_that_loses_every_worker_is_quarantined_and_the_rest_done() -> None:
    workers, events = run(lambda worker, item: LOST if item == 3 else item, list(range(6)))
    assert [event.kind for event in events if event.item == 3] == ["requeued", "quarantined"]
    assert sum(event.kind == "done" for event in events) == 5
    assert len(workers.queues) == len(workers.stopped)


@pytest.mark.parametrize(
    ("failure", "error", "text"),
    [
        (Failure("stage", "no weights", WeightsError("no weights")), WeightsError, "no weights"),
        (Failure("item", "ModuleNotFoundError: maskmill"), StageError, "could not start: ModuleNotFound"),
        (LOST, StageError, "2 workers in a row were lost while loading: the worker died"),
    ],
)
def test_a_worker_that_cannot_load_ends_the_stage(
    failure: Failure, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        run(lambda worker, item: failure if item is None else item, [1, 2], number=1)


def test_a_call_over_the_time_limit_loses_its_worker() -> None:
    class Stuck(FakeWorkers):
        def ready(self, references: Sequence[Any], seconds: float) -> set[Any]:
            return {reference for reference in references if reference[1] != "slow"}

    config = PoolConfig(error_limit=1.0, shard_tries=2, shard_timeout=1e-6)
    events: list[PoolEvent[Any, Any]] = []
    workers = Stuck(echo)
    Dispatcher(workers, 2, ["slow", 1, 2], config, Ledger(3, config, events.append)).run()
    assert [event.kind for event in events if event.item == "slow"] == ["requeued", "quarantined"]
    assert {event.item for event in events if event.kind == "done"} == {1, 2}


def test_workers_are_stopped_when_the_listener_raises() -> None:
    def listener(event: PoolEvent[Any, Any]) -> None:
        raise StageError("enough")

    workers = FakeWorkers(echo)
    config = PoolConfig()
    with pytest.raises(StageError, match="enough"):
        Dispatcher(workers, 2, [1, 2, 3], config, Ledger(3, config, listener)).run()
    assert len(workers.stopped) == len(workers.queues)
