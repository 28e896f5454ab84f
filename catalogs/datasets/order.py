"""In which order an epoch goes through the images, and which of them each process takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import ConfigError


@dataclass(frozen=True)
class EpochOrder:
    """Orders of all images that follow from the seed and the epoch alone.

    Shards are shuffled, and the images of ``shards_at_once`` neighbours with each other, so that at any time
    few shards are in use. With as many at once as there are shards, every order is as likely as any other.

    Args:
        sizes: (S,) int64 images of each shard; positions count through the shards.
        shuffle: else the order is that of the positions.
    """

    sizes: NDArray[np.int64]
    shuffle: bool
    seed: int
    shards_at_once: int

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def positions(self, epoch: int, first: int, last: int) -> Iterator[int]:
        """Yield the positions of the images from the ``first`` to before the ``last`` of an epoch."""
        if not self.shuffle:
            yield from range(first, last)
            return
        begins = np.cumsum(self.sizes) - self.sizes
        shards = np.random.default_rng((self.seed, epoch)).permutation(len(self.sizes))
        done = 0
        for window in range(0, len(shards), self.shards_at_once):
            mixed = shards[window : window + self.shards_at_once]
            count = int(self.sizes[mixed].sum())
            if done < last and done + count > first:
                of_shards = [np.arange(begins[s], begins[s] + self.sizes[s]) for s in mixed]
                order = np.random.default_rng((self.seed, epoch, window)).permutation(
                    np.concatenate(of_shards)
                )
                yield from order[max(first - done, 0) : last - done].tolist()
            done += count


@dataclass(frozen=True)
class Share:
    """One of ``of`` equal stretches of an epoch; they differ by at most one image."""

    number: int
    of: int

    def bounds(self, total: int) -> tuple[int, int]:
        return total * self.number // self.of, total * (self.number + 1) // self.of


def share_of_process(rank: int | None, world_size: int | None) -> Share:
    """Return the share of this process: what is given, else as torch or the environment has it.

    Raises:
        ConfigError: RANK and WORLD_SIZE in the environment do not fit.
    """
    if rank is not None and world_size is not None:
        return Share(rank, world_size)
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return Share(distributed.get_rank(), distributed.get_world_size())
    given = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    try:
        share = Share(int(given[0]), int(given[1]))
    except ValueError:
        share = Share(0, 0)
    if not 0 <= share.number < share.of:
        raise ConfigError(f"RANK={given[0]} and WORLD_SIZE={given[1]} do not fit; ranks count from 0")
    return share


def worker_of_loader() -> Share:
    """Return which worker of a ``DataLoader`` this process is; the only one outside of a loader."""
    data = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return Share(0, 1) if info is None else Share(info.id, info.num_workers)


def taken_by_worker(worker: Share, sizes: list[int], batch_size: int, taken: int) -> int:
    """Return how many of the first ``taken`` samples of a ``DataLoader`` came from a worker.

    A loader takes a batch of each worker in turn, and passes over workers that have no more.

    Args:
        sizes: samples of each worker.
        taken: of all, whole batches but for the last of a worker.
    """
    left, given = taken, [0] * worker.of
    while left > 0 and any(done < size for done, size in zip(given, sizes, strict=True)):
        for number, size in enumerate(sizes):
            batch = min(batch_size, size - given[number], left)
            given[number] += batch
            left -= batch
    return given[worker.number]
