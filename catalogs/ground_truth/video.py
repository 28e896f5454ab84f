"""DAVIS: videos with the objects of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CorpusError, SampleError
from ...schemas.samples import BadSample
from ..corpora.image_files import load_file
from ..images import decode_image
from ..storage import full_uri, join, locate, reported_as
from .base import index_png
from .listing import Place, find_root, missing

_TREE = """\
DAVIS/
  JPEGImages/480p/bear/00000.jpg
  Annotations/480p/bear/00000.png       index PNG, one id for each object
  ImageSets/2017/val.txt                one video a line"""


@dataclass(frozen=True)
class DavisVideos:
    """One split of DAVIS 2017 (or 2016).

    Args:
        uri: folder of the dataset, or of one that holds it as ``DAVIS``.
        split: e.g. ``val``.
        year: of ``ImageSets``.
        resolution: folder of frames, e.g. ``480p``.
    """

    uri: str
    split: str = "val"
    year: str = "2017"
    resolution: str = "480p"

    def names(self) -> tuple[str, ...]:
        """Return the videos in the order of the split.

        Raises:
            CorpusError: the folder has another layout.
        """
        fs, root = self._place()
        path = f"ImageSets/{self.year}/{self.split}.txt"
        with reported_as(CorpusError, f"DAVIS {self.uri!r} cannot be listed"):
            if not fs.exists(join(root, path)):
                raise missing("davis", self.uri, path, _TREE)
            names = tuple(fs.cat_file(join(root, path)).decode("utf-8").split())
        for name in names:
            self._frames(name)
        return names

    def length(self, video: str) -> int:
        """Return the number of frames of a video."""
        return len(self._frames(video))

    def images(self, video: str) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames, (H, W, 3) uint8 RGB.

        Raises:
            CorpusError: a frame is missing or damaged.
        """
        fs, root = self._place()
        for key in self._frames(video):
            data = load_file(key, fs, join(root, "JPEGImages", self.resolution, video, f"{key}.jpg"))
            if isinstance(data, BadSample):
                raise CorpusError(f"frame {key!r} of video {video!r} cannot be read: {data.detail}")
            try:
                yield decode_image(data)
            except SampleError as err:
                raise CorpusError(f"frame {key!r} of video {video!r} cannot be read: {err}") from err

    def labels(self, video: str) -> Iterator[NDArray[np.uint16]]:
        """Yield the (H, W) ids of the objects of every frame, 0 background; 255 is unknown and becomes 0, as
        in the benchmark's own code.

        Raises:
            CorpusError: an annotation cannot be read.
        """
        fs, root = self._place()
        for key in self._frames(video):
            path = join(root, "Annotations", self.resolution, video, f"{key}.png")
            ids = index_png(fs, path, f"{video}/{key}")
            yield np.where(ids == 255, 0, ids).astype(np.uint16)

    def _frames(self, video: str) -> tuple[str, ...]:
        return _listed(self.uri, f"Annotations/{self.resolution}/{video}")

    def _place(self) -> Place:
        with reported_as(CorpusError, f"DAVIS {self.uri!r} cannot be opened"):
            return _root(self.uri)


def open_davis(uri: str, split: str = "val", year: str = "2017", resolution: str = "480p") -> DavisVideos:
    """Return the videos of a split after looking whether they are there.

    Raises:
        CorpusError: the folder has another layout; the text shows the one that was looked for.
    """
    with reported_as(CorpusError, f"DAVIS {uri!r} cannot be opened"):
        videos = DavisVideos(full_uri(*locate(uri)), split, year, resolution)
    videos.names()
    return videos


def _root(uri: str) -> Place:
    return find_root(locate(uri), ("DAVIS",), "JPEGImages", "")


@lru_cache(maxsize=256)
def _listed(uri: str, folder: str) -> tuple[str, ...]:
    fs, root = _root(uri)
    with reported_as(CorpusError, f"DAVIS {uri!r} cannot be listed"):
        if not fs.isdir(join(root, folder)):
            raise missing("davis", uri, folder, _TREE)
        names = (name.rpartition("/")[2] for name in fs.ls(join(root, folder), detail=False))
        return tuple(sorted(name.removesuffix(".png") for name in names if name.endswith(".png")))
