"""map_ahead keeps order, bounds what it holds, and ends cleanly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from maskmill.tasks.prefetch import map_ahead


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0.002 * (number % 2 == 0))
        return number * 10

    assert list(map_ahead(slow_when_even, range(50), threads=4, depth=8)) == [n * 10 for n in range(50)]


def test_work_is_done_while_the_consumer_is_busy() -> None:
    done: list[int] = []
    ahead = map_ahead(done.append, range(10), threads=2, depth=4)
    with closing(ahead):
        next(ahead)
        time.sleep(0.2)
        assert 4 <= len(done) <= 6


def test_no_more_than_depth_items_are_read_ahead() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    with closing(map_ahead(lambda n: n, items(), threads=1, depth=3)) as ahead:
        next(ahead)
        time.sleep(0.1)
        assert len(read) <= 3 + 2


def test_an_exception_of_the_function_comes_out_after_the_results_before_it() -> None:
    ahead = map_ahead(lambda n: 1 // n, [1, 1, 0, 1], threads=2, depth=4)
    assert [next(ahead), next(ahead)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(ahead)


def test_an_exception_of_the_items_comes_out_after_the_results_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the shard is gone")

    ahead = map_ahead(lambda n: n, items(), threads=1, depth=4)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_closing_early_ends_every_thread() -> None:
    before = threading.active_count()
    ahead = map_ahead(lambda n: n, iter(range(10**9)), threads=3, depth=2)
    next(ahead)
    ahead.close()
    assert threading.active_count() == before
