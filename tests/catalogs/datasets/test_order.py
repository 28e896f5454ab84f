from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.datasets.order import EpochOrder, Share, share_of_process, taken_by_worker
from maskmill.schemas.errors import ConfigError

SIZES = st.lists(st.integers(0, 7), min_size=1, max_size=9)


def _order(sizes: list[int], seed: int = 0, at_once: int = 2, shuffle: bool = True) -> EpochOrder:
    return EpochOrder(np.array(sizes, np.int64), shuffle, seed, at_once)


@given(SIZES, st.integers(1, 5), st.integers(1, 4), st.booleans(), st.integers(1, 10))
def test_shares_hold_every_image_once(
    sizes: list[int], ranks: int, workers: int, shuffle: bool, at_once: int
) -> None:
    order, total = _order(sizes, at_once=at_once, shuffle=shuffle), sum(sizes)
    found: list[int] = []
    lengths = []
    for rank in range(ranks):
        first, last = Share(rank, ranks).bounds(total)
        for worker in range(workers):
            begin, end = Share(worker, workers).bounds(last - first)
            mine = list(order.positions(3, first + begin, first + end))
            found += mine
            lengths.append(len(mine))
    assert found == list(order.positions(3, 0, total))
    assert sorted(found) == list(range(total))
    assert max(lengths) - min(lengths) <= 2


def test_epochs_and_seeds_differ_and_repeat() -> None:
    sizes = [5] * 8
    orders = {(s, e): list(_order(sizes, s).positions(e, 0, 40)) for s in (0, 1) for e in (0, 1)}
    assert len({tuple(order) for order in orders.values()}) == 4
    assert list(_order(sizes, 1).positions(1, 0, 40)) == orders[1, 1]
    assert list(_order(sizes, shuffle=False).positions(1, 3, 9)) == [3, 4, 5, 6, 7, 8]


def test_few_shards_are_in_use_at_a_time_and_their_images_are_mixed() -> None:
    order = list(_order([10] * 12, at_once=3).positions(0, 0, 120))
    for first in range(0, 120, 30):
        window = order[first : first + 30]
        assert len({position // 10 for position in window}) == 3
        assert window != sorted(window)


def _loaded(sizes: list[int], batch: int) -> Iterator[int]:
    """Yield the worker of each sample as a loader takes them: a batch of each worker in turn."""
    left = list(sizes)
    while any(left):
        for worker in range(len(sizes)):
            for _ in range(min(batch, left[worker])):
                left[worker] -= 1
                yield worker


@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 6), st.integers(0, 12))
def test_what_each_worker_gave_follows_from_what_was_taken(
    total: int, workers: int, batch: int, batches: int
) -> None:
    bounds = [Share(w, workers).bounds(total) for w in range(workers)]
    sizes = [last - first for first, last in bounds]
    taken = list(_loaded(sizes, batch))[: batches * batch]
    given = [taken_by_worker(Share(w, workers), sizes, batch, len(taken)) for w in range(workers)]
    assert given == [taken.count(worker) for worker in range(workers)]


def test_the_share_of_a_process_is_given_or_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert share_of_process(None, None) == Share(0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert share_of_process(None, None) == Share(2, 4)
    assert share_of_process(0, 2) == Share(0, 2)
    for rank in ("4", "-1", "two"):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(ConfigError, match=f"RANK={rank} and WORLD_SIZE=4 do not fit"):
            share_of_process(None, None)
