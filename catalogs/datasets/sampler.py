"""The order in which a ``DataLoader`` takes the items of a dataset, and which of them a rank takes."""

from __future__ import annotations

from collections.abc import Iterator

from .dataset import MaskDataset
from .order import EpochOrder, share_of_process
from .selection import Reading


class MaskSampler:
    """A sampler for ``torch.utils.data.DataLoader`` that keeps images of a shard together.

    Large catalogs need that: the rows of few shards are held in memory. Every image comes once per epoch, in
    one rank; ranks differ by at most one image. Set the epoch before each one, in all ranks.

    Args:
        dataset: whose positions are drawn.
        reading: order and rank; by default shuffled.
    """

    def __init__(self, dataset: MaskDataset, reading: Reading | None = None) -> None:
        reading = reading or Reading(shuffle=True)
        self._order = EpochOrder(dataset.shard_sizes, reading.shuffle, reading.seed, reading.shards_at_once)
        self._share = share_of_process(reading.rank, reading.world_size)
        self._epoch, self._taken = 0, 0

    def set_epoch(self, epoch: int, taken: int = 0) -> None:
        """Choose the epoch, and leave out the images that this rank took from it already."""
        self._epoch, self._taken = epoch, taken

    def __len__(self) -> int:
        first, last = self._share.bounds(len(self._order))
        return max(0, last - first - self._taken)

    def __iter__(self) -> Iterator[int]:
        first, last = self._share.bounds(len(self._order))
        yield from self._order.positions(self._epoch, first + self._taken, last)
