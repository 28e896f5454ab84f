"""Pseudo-masks as a Ray Data dataset; beside the pool the only file that imports ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

# First, since its settings are read when ray is imported.
from . import ray_pool  # noqa: F401  # isort: skip
from ray.data import Dataset, Datasource, ReadTask, read_datasource
from ray.data.block import BlockMetadata
from ray.data.extensions import ArrowVariableShapedTensorArray

from ..catalogs import MaskDataset, MaskSample
from ..catalogs.datasets.selection import Options

_BLOCK = 16  # images of one block, which is held whole: decoded photographs have some megabytes each
_MAPS = 9  # bytes of a pixel: three of the image, two of the class ids, four of the weights
_PIXELS = 640 * 480


def to_ray_dataset(uri: str, version: int | str | None = None, **options: Unpack[Options]) -> Dataset:
    """Return the images of a :class:`MaskDataset` as a Ray Data dataset, read where they lie by Ray's tasks.

    The columns are the fields of :class:`MaskSample`; ``image``, ``labels`` and ``weights`` are tensors of
    differing shapes. Every image is one row, in whatever order Ray's tasks end unless its
    ``preserve_order`` is set; shuffle and split with Ray's own means. What it reads is pinned here, once.

    Args:
        uri, version, options: as of :class:`MaskDataset`.

    Raises:
        CatalogError, ConfigError: as :class:`MaskDataset`.
    """
    return read_datasource(MaskDatasource(MaskDataset(uri, version, **options)))


class MaskDatasource(Datasource):
    """Stretches of a dataset, at most one for each task that Ray asks for."""

    def __init__(self, dataset: MaskDataset) -> None:
        super().__init__()
        self._dataset = dataset

    def estimate_inmemory_data_size(self) -> int:
        """Return a guess of bytes, from photographs of 640 x 480 pixels."""
        return len(self._dataset) * _PIXELS * _MAPS

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        """Return the tasks, whose stretches differ by at most one image."""
        total = len(self._dataset)
        count = max(1, min(parallelism, total))
        edges = [total * number // count for number in range(count + 1)]
        return [self._task(first, last) for first, last in pairwise(edges)]

    def _task(self, first: int, last: int) -> ReadTask:
        size = (last - first) * _PIXELS * _MAPS
        read: Callable[[], Iterator[pa.Table]] = partial(_blocks, self._dataset, first, last)
        return ReadTask(read, BlockMetadata(last - first, size, None, None))


def _blocks(dataset: MaskDataset, first: int, last: int) -> Iterator[pa.Table]:
    for begin in range(first, last, _BLOCK):
        samples = [dataset[index] for index in range(begin, min(begin + _BLOCK, last))]
        yield pa.table({name: _column([getattr(s, name) for s in samples]) for name in MaskSample._fields})


def _column(values: list[Any]) -> pa.Array:
    """Return texts and flags as they are, maps as tensors of differing shapes, flags of classes as lists."""
    if not isinstance(values[0], np.ndarray):
        return pa.array(values)
    if values[0].ndim == 1:
        return pa.array([value.tolist() for value in values], pa.list_(pa.bool_()))
    return ArrowVariableShapedTensorArray.from_numpy([np.ascontiguousarray(value) for value in values])
