"""Ground truth of the demo corpus, and of a folder of index PNGs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CorpusError
from ..demo import read_ground_truth
from ..storage import join, locate, reported_as
from .base import index_png, names_of, with_ignore


@dataclass(frozen=True)
class DemoTruth:
    """One split of a demo corpus."""

    root: str
    split: str

    def names(self) -> tuple[str, ...]:
        return names_of(f"{self.root}/ground_truth/classes.json")

    def labels(self, key: str) -> NDArray[np.uint16]:
        try:
            return _demo_split(self.root, self.split)[key].astype(np.uint16)
        except KeyError as err:
            raise CorpusError(f"demo corpus {self.root!r} has no ground truth for image {key!r}") from err


@dataclass(frozen=True)
class IndexPngs:
    """A folder with ``classes.json`` (a list of ``{"id": 0, "name": "background"}``) and one ``KEY.png`` per
    image, 8-bit with 255 to ignore or 16-bit with 65535.
    """

    folder: str

    def names(self) -> tuple[str, ...]:
        return names_of(f"{self.folder}/classes.json")

    def labels(self, key: str) -> NDArray[np.uint16]:
        with reported_as(CorpusError, f"ground truth of image {key!r} cannot be read"):
            fs, folder = locate(self.folder)
            ids = index_png(fs, join(folder, f"{key}.png"), key)
        return with_ignore(ids) if ids.dtype == np.uint8 else ids.astype(np.uint16)


@lru_cache(maxsize=2)
def _demo_split(root: str, split: str) -> dict[str, NDArray[np.uint8]]:
    return dict(read_ground_truth(Path(root), split))
