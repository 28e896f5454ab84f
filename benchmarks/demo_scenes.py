"""What ablations on the demo corpus share: its held-out scenes, counts per scene, crops that are run once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskmill.catalogs.corpora import open_corpus
from maskmill.catalogs.demo import KNOWN, read_ground_truth, write_demo_corpus
from maskmill.catalogs.images import decode_image
from maskmill.models.metrics import ConfusionMatrix
from maskmill.models.objectness import Objectness
from maskmill.models.segmenters import Segmenter
from maskmill.models.segmenters.clip_diy import ClipDiy
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions, CropEncoder
from maskmill.models.segmenters.clip_diy_released import ClipDiyReleased
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.samples import Sample
from maskmill.schemas.vocabulary import Vocabulary, load_vocabulary


@dataclass(frozen=True)
class Scene:
    """An image (H, W, 3) and its class ids (H, W) in the vocabulary ``demo``; unknown things are 0."""

    image: NDArray[np.uint8]
    truth: NDArray[np.uint16]


def held_out(seed: int, count: int) -> list[Scene]:
    """Draw the first scenes that the demo holds out: same seed, same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_demo_corpus(root, seed=seed, images=1, val_images=count, shard_size=40, workers=1)
        truth = dict(read_ground_truth(root, "val"))
        reader = open_corpus(CorpusConfig(uri=str(root / "val")))
        samples = [s for shard in reader.shards() for s in reader.read(shard) if isinstance(s, Sample)]
        return [
            Scene(
                decode_image(s.image, 10**8),
                np.where(truth[s.key] > len(KNOWN), 0, truth[s.key]).astype(np.uint16),
            )
            for s in samples
        ]


def counts_of(segmenter: Segmenter, scene: Scene, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Return the (C, C + 1) counts of one scene."""
    answer = segmenter([scene.image], [vocabulary])[0].labels
    return ConfusionMatrix(len(vocabulary.classes)).update(answer, scene.truth).counts


def counts_by_method(
    methods: Mapping[str, Segmenter], scenes: Sequence[Scene]
) -> dict[str, NDArray[np.int64]]:
    """Judge methods scene by scene; (scenes, C, C + 1) for each."""
    vocabulary = load_vocabulary("demo")
    found: dict[str, list[NDArray[np.int64]]] = {name: [] for name in methods}
    for scene in scenes:
        for name, segmenter in methods.items():
            found[name].append(counts_of(segmenter, scene, vocabulary))
    return {name: np.stack(parts) for name, parts in found.items()}


class RememberedCrops:
    """An encoder that runs a crop once, for methods that look at the same crops of the same image.

    Args:
        encoder: what is asked for crops that are new.
        limit: vectors that are kept, by the crops' bytes; the oldest go first.
    """

    def __init__(self, encoder: CropEncoder, limit: int = 20_000) -> None:
        self._encoder, self._limit = encoder, limit
        self._vectors: dict[bytes, Tensor] = {}
        self.id, self.sha256 = encoder.id, encoder.sha256
        self.image_size, self.device = encoder.image_size, encoder.device

    def embed_crops(self, crops: Tensor) -> Tensor:
        keys = [hashlib.blake2b(pixels).digest() for pixels in crops.cpu().contiguous().numpy()]
        new = [place for place, key in enumerate(keys) if key not in self._vectors]
        if new:
            vectors = self._encoder.embed_crops(crops[new])
            self._vectors.update(zip((keys[place] for place in new), vectors, strict=True))
        found = torch.stack([self._vectors[key] for key in keys])
        while len(self._vectors) > self._limit:
            del self._vectors[next(iter(self._vectors))]
        return found

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        return self._encoder.embed_text(vocabulary)


class CountedCrops:
    """An encoder that counts the crops it is asked for in ``asked``."""

    def __init__(self, encoder: CropEncoder) -> None:
        self._encoder, self.asked = encoder, 0
        self.id, self.sha256 = encoder.id, encoder.sha256
        self.image_size, self.device = encoder.image_size, encoder.device

    def embed_crops(self, crops: Tensor) -> Tensor:
        self.asked += len(crops)
        return self._encoder.embed_crops(crops)

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        return self._encoder.embed_text(vocabulary)


def clip_diy(encoder: CropEncoder, objectness: Objectness, options: ClipDiyOptions) -> Segmenter:
    """Build the reading of CLIP-DIY that the options name, on any encoder."""
    method = ClipDiyReleased if options.mode == "released" else ClipDiy
    return method(encoder, objectness, options)
