"""A stream as PyTorch's loader wants it: the one file of the catalogs that imports torch, and on demand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import IterableDataset

from .sample import MaskSample
from .stream import MaskStream


class TorchStream(IterableDataset[MaskSample]):
    """The samples of a stream; each worker of a loader takes its share of them.

    Args:
        stream: is shared, so that its epoch counts for the next iteration.
    """

    def __init__(self, stream: MaskStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[MaskSample]:
        return iter(self.stream)

    def __len__(self) -> int:
        return len(self.stream)

    def set_epoch(self, epoch: int, taken: int = 0, batch_size: int = 1) -> None:
        """See :meth:`MaskStream.set_epoch`."""
        self.stream.set_epoch(epoch, taken, batch_size)

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`MaskStream.state_dict`; a loader with state asks each worker."""
        return self.stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.stream.load_state_dict(state)
