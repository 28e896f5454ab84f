"""The images of a corpus where it lies, by shard and key, in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

from ...schemas.config import CorpusConfig
from ...schemas.errors import CatalogError
from ...schemas.samples import Shard
from ..corpora import CocoCorpus, CorpusReader, FolderCorpus, TarCorpus, open_corpus
from .file_images import FileNames
from .held import Held
from .row_images import Images, RowImages
from .tar_images import TarImages

_PLACES_BYTES = 1 << 28
_ROWS_BYTES = 1 << 29
_PLACE = 8  # bytes that an image of a tar takes


class ShardImages(Protocol):
    """Some images of one shard."""

    def load(self, row: int) -> bytes | None:
        """Return the bytes of image ``row`` of the keys that were asked for, None where it is not there.

        Raises:
            CorpusError, OSError: the store fails.
        """
        ...


class CorpusImages:
    """Opens nothing before it is asked to; what it has looked up stays in the process.

    Tars are read at the places of their images, files one by one. Of Parquet a row group is read at a time,
    and of delimited text a shard: of these, the last 512 MiB are held in memory.

    Args:
        config: how to read the corpus.
        run_id: of the run that labelled it, for messages.
    """

    def __init__(self, config: CorpusConfig, run_id: str) -> None:
        self._config = config
        self._run_id = run_id
        self._places: Held[ShardImages] = Held(_PLACES_BYTES)
        self._rows: Held[Images] = Held(_ROWS_BYTES)

    def shard(self, shard_id: str, keys: Callable[[], Sequence[str]]) -> ShardImages:
        """Return the images of a shard that have these keys, in their order.

        Args:
            keys: gives the keys; always the same for a shard.

        Raises:
            CorpusError: the corpus or the shard is gone.
            CatalogError: the corpus has no such shard.
        """
        return self._places.get(shard_id, lambda: self._look_up(shard_id, keys()))

    def __getstate__(self) -> dict[str, Any]:
        """Another process looks for itself: what was looked up here is large."""
        derived = ("_reader", "_shards", "_names")
        return {name: value for name, value in self.__dict__.items() if name not in derived}

    def _look_up(self, shard_id: str, keys: Sequence[str]) -> tuple[ShardImages, int]:
        if isinstance(self._reader, CocoCorpus | FolderCorpus):
            return self._names.images(keys), _PLACE * len(keys)
        if shard_id not in self._shards:
            raise CatalogError(
                f"corpus {self._reader.uri!r} has no shard {shard_id!r}, which run {self._run_id!r} "
                "labelled: name where the corpus lies now, with the same shard size"
            )
        shard = self._shards[shard_id]
        if isinstance(self._reader, TarCorpus):
            return TarImages.of(shard, keys), _PLACE * len(keys)
        return RowImages.of(self._reader, shard, keys, self._rows), sum(map(len, keys))

    @cached_property
    def _reader(self) -> CorpusReader:
        return open_corpus(self._config)

    @cached_property
    def _shards(self) -> dict[str, Shard]:
        return {shard.shard_id: shard for shard in self._reader.shards()}

    @cached_property
    def _names(self) -> FileNames:
        assert isinstance(self._reader, CocoCorpus | FolderCorpus)  # noqa: S101
        return FileNames(self._reader)
