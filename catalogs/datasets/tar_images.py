"""Images of a tar shard by where their bytes begin; nothing of the tar is read but headers and these."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CorpusError
from ...schemas.samples import Shard
from ..corpora.tar_samples import IMAGE_EXTENSIONS
from ..storage import locate, read_bytes, reported_as

_BLOCK = 512  # every member of a tar begins at a multiple of it


class TarImages:
    """Looks up a shard's images once, by the headers of the tar, and keeps 8 bytes for each of them.

    Args:
        blocks: (N,) uint32 where the images begin, in blocks of 512 bytes; 0 for one that is not there.
        sizes: (N,) uint32 bytes.
    """

    def __init__(self, uri: str, blocks: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> None:
        self._uri = uri
        self._fs, self._path = locate(uri)
        self._blocks, self._sizes = blocks, sizes

    @classmethod
    def of(cls, shard: Shard, keys: Sequence[str]) -> TarImages:
        """Look for the images of these keys; of several with one key the first counts, as in the reader.

        Raises:
            CorpusError: the tar vanished or may not be read.
        """
        places: dict[str, tuple[int, int]] = {}
        with reported_as(CorpusError, f"shard {shard.uri!r} cannot be read"):
            fs, path = locate(shard.uri)
            with fs.open(path, "rb") as file:
                for key, begin, size in _images(file):
                    places.setdefault(key, (begin // _BLOCK, size))
        found = np.array([places.get(key, (0, 0)) for key in keys], np.uint32).reshape(-1, 2)
        return cls(shard.uri, found[:, 0].copy(), found[:, 1].copy())

    def load(self, row: int) -> bytes | None:
        """Return the bytes of image ``row`` of the keys, None where it is not there."""
        if not self._blocks[row]:
            return None
        begin = int(self._blocks[row]) * _BLOCK
        with reported_as(CorpusError, f"shard {self._uri!r} cannot be read"):
            return read_bytes(self._fs, self._path, begin, begin + int(self._sizes[row]))


def _images(file: IO[bytes]) -> Iterator[tuple[str, int, int]]:
    """Yield key, begin and size of the images; of a tar that is cut or damaged, those before the fault."""
    try:
        with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="backslashreplace") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]
                folder, slash, base = info.name.removeprefix("./").rpartition("/")
                stem, _, extension = base.partition(".")
                if info.isreg() and not info.issparse() and stem and extension.lower() in IMAGE_EXTENSIONS:
                    yield folder + slash + stem, info.offset_data, info.size
    except (tarfile.TarError, ValueError):
        return
