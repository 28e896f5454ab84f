"""Photographs of chosen images, read from the corpus once for all parts of the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...schemas.errors import CorpusError
from ...schemas.samples import Sample
from ..corpora import CorpusReader
from ..images import MAX_PIXELS, decode_image
from .thumbnails import fit

# Photographs are kept at this longer side, in pixels: enough to cut a thumbnail of one mask from, and two
# hundred of them fit in memory whatever the corpus holds.
LONGEST_SIDE = 1024


@dataclass(frozen=True)
class Wanted:
    """An image of the corpus; ``pixels`` is the size it had when it was labelled."""

    shard_id: str
    key: str
    pixels: int

    @property
    def place(self) -> tuple[str, str]:
        return self.shard_id, self.key


Photos = Mapping[tuple[str, str], NDArray[np.uint8]]


def read_photos(corpus: CorpusReader, wanted: Iterable[Wanted]) -> Photos:
    """Read only the shards that hold a wanted image, each only as far as needed.

    Returns:
        (shard id, key) -> (H, W, 3) uint8 RGB, the longer side at most `LONGEST_SIDE`.

    Raises:
        CorpusError: a shard, or an image in it, is no longer in the corpus.
        SampleError: an image can no longer be decoded.
    """
    shards: dict[str, dict[str, int]] = defaultdict(dict)
    for image in wanted:
        shards[image.shard_id][image.key] = image.pixels
    photos: dict[tuple[str, str], NDArray[np.uint8]] = {}
    for shard in corpus.shards() if shards else ():
        missing = shards.pop(shard.shard_id, {})
        samples = corpus.read(shard) if missing else iter(())
        for sample in samples:
            if isinstance(sample, Sample) and sample.key in missing:
                limit = max(MAX_PIXELS, missing.pop(sample.key))
                photos[shard.shard_id, sample.key] = reduced(decode_image(sample.image, limit))
            if not missing:
                break
        if missing:
            raise CorpusError(f"shard {shard.shard_id!r} of {corpus.uri!r} no longer holds {min(missing)!r}")
    if shards:
        raise CorpusError(f"corpus {corpus.uri!r} no longer has shard {min(shards)!r}")
    return photos


def reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) with its longer side at most `LONGEST_SIDE`; nothing is enlarged."""
    size = fit(image.shape[1], image.shape[0], LONGEST_SIDE)
    if size == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
