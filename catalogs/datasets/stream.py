"""Pseudo-masks of a pinned catalog version one after the other, shared out over processes."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from ...schemas.config_files import load_config
from ...schemas.errors import ConfigError, MaskmillError
from ..storage import is_local, locate
from .dataset import FAULTS, MaskDataset
from .order import EpochOrder, Share, share_of_process, taken_by_worker, worker_of_loader
from .sample import MaskRecord, MaskSample
from .selection import Reading, StreamOptions

if TYPE_CHECKING:
    from .torch_stream import TorchStream

Got = TypeVar("Got")
_AHEAD = 16  # images that are fetched at a time from a store that answers slowly
_log = logging.getLogger(__name__)


class MaskStream:
    """The images of a :class:`MaskDataset` in the order of an epoch, each in exactly one process.

    Ranks share the epoch out, and the workers of a ``DataLoader`` their rank's share; shares differ by at
    most one image. Every further iteration in a process goes on to the next epoch. With ``on_error="skip"``
    images with a fault are left out and counted, in the process that met them.

    Args:
        uri: the catalog.
        version: catalog version or tag; None pins the newest.
        options: the fields of :class:`Selection` and :class:`Reading`.

    Attributes:
        dataset: the images by position.
        version, run_id, review_run_ids, classes, known: what was pinned, see :class:`PinnedMasks`.
        faults: kind of fault -> how many images were left out for it.

    Raises:
        CatalogError: no such version, tag or label run, no class is left, or a file is damaged.
        ConfigError: an option does not fit.
    """

    def __init__(self, uri: str, version: int | str | None = None, **options: Unpack[StreamOptions]) -> None:
        given: Mapping[str, Any] = options
        reading = {name: value for name, value in given.items() if name in Reading.model_fields}
        self.reading = load_config(Reading, None, reading)
        self.dataset = MaskDataset(
            uri, version, **{name: value for name, value in given.items() if name not in reading}
        )
        at_once = self.reading.shards_at_once
        sizes = self.dataset.shard_sizes
        self._order = EpochOrder(sizes, self.reading.shuffle, self.reading.seed, at_once)
        self._rank = share_of_process(self.reading.rank, self.reading.world_size)
        self._epoch, self._taken = 0, 0
        self._batch_size: int | None = None
        self.faults = Counter[str]()

    @property
    def version(self) -> int:
        return self.dataset.version

    @property
    def run_id(self) -> str:
        return self.dataset.run_id

    @property
    def review_run_ids(self) -> tuple[str, ...]:
        return self.dataset.review_run_ids

    @property
    def classes(self) -> tuple[str, ...]:
        return self.dataset.classes

    @property
    def known(self) -> NDArray[np.bool_]:
        return self.dataset.known

    def __len__(self) -> int:
        """Return the images of this rank in an epoch, those that are left out for a fault among them."""
        first, last = self._rank.bounds(len(self._order))
        return last - first

    def set_epoch(self, epoch: int, taken: int = 0, batch_size: int = 1) -> None:
        """Choose the epoch of the next iteration, and where in it to go on.

        Args:
            taken: images that this rank has taken from the epoch, over all workers.
            batch_size: of the ``DataLoader`` that took them with several workers.
        """
        self._epoch, self._taken, self._batch_size = epoch, taken, batch_size

    def state_dict(self) -> dict[str, Any]:
        """Return where this process stands, for `load_state_dict` in one with the same share."""
        return {**self._identity(), "epoch": self._epoch, "taken": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a stream of the same images stood.

        Raises:
            ConfigError: the state is of another stream.
        """
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise ConfigError(f"this stream has {name} {value!r}, the saved state {state.get(name)!r}")
        self._epoch, self._taken, self._batch_size = int(state["epoch"]), int(state["taken"]), None

    def __iter__(self) -> Iterator[MaskSample]:
        """Yield the images of this process, decoded.

        Raises:
            CatalogError, CorpusError, SampleError: as an item of the dataset.
        """
        return self._through(self.dataset.decode)

    def records(self) -> Iterator[MaskRecord]:
        """Yield the images of this process as they are stored; the position moves on as in an iteration."""
        return self._through(lambda _, record: record)

    def for_torch(self) -> TorchStream:
        """Return this stream as a ``torch.utils.data.IterableDataset``, which a ``DataLoader`` asks for."""
        from .torch_stream import TorchStream

        return TorchStream(self)

    def _through(self, use: Callable[[int, MaskRecord], Got]) -> Iterator[Got]:
        worker = worker_of_loader()
        first, last = self._bounds(worker)
        skipped = self._skipped(worker)
        self._taken, self._batch_size = skipped, None
        for position, fetch in self._fetched(self._order.positions(self._epoch, first + skipped, last)):
            self._taken += 1
            try:
                used = use(position, fetch())
            except FAULTS as err:
                self._left_out(err)
                continue
            yield used
            del used  # or it would lie in memory while the next one is decoded
        self._epoch, self._taken = self._epoch + 1, 0

    def _bounds(self, worker: Share) -> tuple[int, int]:
        """Return the stretch of the epoch that is this rank's and this worker's."""
        first, last = self._rank.bounds(len(self._order))
        begin, end = worker.bounds(last - first)
        return first + begin, first + end

    def _skipped(self, worker: Share) -> int:
        """Return how many images of its stretch a process leaves out; without a batch size, its own count."""
        if self._batch_size is None:
            return self._taken
        total = len(self)
        bounds = (Share(number, worker.of).bounds(total) for number in range(worker.of))
        sizes = [last - first for first, last in bounds]
        return taken_by_worker(worker, sizes, self._batch_size, self._taken)

    def _fetched(self, positions: Iterable[int]) -> Iterator[tuple[int, Callable[[], MaskRecord]]]:
        """Yield positions and what gives their records; of a remote store several are under way at a time."""
        if is_local(locate(self.dataset.pinned.corpus.uri)[0]):
            for position in positions:
                yield position, partial(self.dataset.record, position)
            return
        waiting: deque[tuple[int, Future[MaskRecord]]] = deque()
        with ThreadPoolExecutor(_AHEAD) as threads:
            for position in positions:
                waiting.append((position, threads.submit(self.dataset.record, position)))
                if len(waiting) > _AHEAD:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())

    def _left_out(self, err: MaskmillError) -> None:
        if self.dataset.selection.on_error == "raise":
            raise err
        self.faults[type(err).__name__] += 1
        _log.warning("an image is left out: %s", err)

    def _identity(self) -> dict[str, Any]:
        reading = self.reading.model_dump(mode="json", exclude={"rank", "world_size"})
        shares = {"rank": self._rank.number, "world_size": self._rank.of, "images": len(self._order)}
        return {**self.dataset.pinned.identity, **reading, **shares}


def _result(position: int, future: Future[MaskRecord]) -> tuple[int, Callable[[], MaskRecord]]:
    return position, future.result
