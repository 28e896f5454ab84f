"""What a probe can measure: each kind opens its data without a model, and then judges one by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..catalogs.corpora import corpus_fingerprint
from ..catalogs.ground_truth import BirdRow, Dataset, DavisVideos, open_dataset, open_davis, waterbirds
from ..schemas.config import CorpusConfig
from ..schemas.errors import ConfigError
from ..schemas.probe_config import CLIP_FEATURES, ProbeConfig, ProbeKind
from ..schemas.vocabulary import Vocabulary, load_vocabulary
from .progress import Progress
from .scores import measures

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from .dense_features import DenseFeatures

_NOT_A_NUMBER = float("nan")
_BIRDS = "waterbirds"
_TRAIN_SPLITS = {
    "ade20k": "training",
    "coco-object": "train2017",
    "coco-stuff": "train2017",
    "coco-instances": "train2017",
}  # of the other layouts it is "train"


@dataclass(frozen=True)
class Measured:
    """What was found.

    Args:
        columns: ``miou``, ``pixel_accuracy`` and ``classes`` of ``evaluations``; a number that the kind does
            not have is nan.
        metrics: further numbers by name.
    """

    images: int
    columns: Mapping[str, Any]
    metrics: Mapping[str, float]


class Probe(Protocol):
    """Data that features are judged by.

    Attributes:
        name, uri: of the data.
        fingerprint: changes with the data.
        vocabulary: what is told apart.
        total, unit: how many of what there are to be done.
    """

    name: str
    uri: str
    fingerprint: str
    vocabulary: Vocabulary
    total: int
    unit: str

    def measure(self, features: DenseFeatures, progress: Progress) -> Measured: ...


class PixelProbe:
    """Nearest neighbours or a linear probe, learnt from one dataset and judged on another.

    Raises:
        ConfigError: the datasets have different classes.
        CorpusError: there is no such dataset.
    """

    unit = "shards"

    def __init__(self, kind: ProbeKind, corpus: CorpusConfig, config: ProbeConfig) -> None:
        learnt = corpus if config.train is None else corpus.model_copy(update={"uri": config.train})
        split = config.train_split or _TRAIN_SPLITS.get(learnt.uri.partition(":")[0], "train")
        self._test: Dataset = open_dataset(corpus, split=config.split)
        self._train: Dataset = open_dataset(learnt, split=split)
        names = self._test.truth.names()
        if self._train.truth.names() != names:
            raise ConfigError(f"{learnt.uri!r} and {corpus.uri!r} do not have the same classes")
        shards = [tuple(d.reader.shards()) for d in (self._train, self._test)]
        if corpus_fingerprint(shards[0]) == corpus_fingerprint(shards[1]):
            raise ConfigError(
                f"a probe of {corpus.uri!r} would be judged on what it has learnt from: give another dataset "
                "to learn from (train), or of LAYOUT:PATH another split"
            )
        self._kind, self._neighbours = kind, config.neighbours
        self.name, self.uri = self._test.name, self._test.reader.uri
        self.fingerprint = "+".join(corpus_fingerprint(part) for part in shards)
        self.vocabulary = Vocabulary.of(names[1:], self._test.vocabulary)
        self.total = sum(map(len, shards))

    def measure(self, features: DenseFeatures, progress: Progress) -> Measured:
        from .dense_judging import feature_bank, linear_probe, nearest_neighbours, probe_features

        bank, labels = feature_bank(features.encode, self._train, progress)
        names = self._test.truth.names()
        if self._kind == "knn":
            label = nearest_neighbours(bank, labels, self._neighbours)
        else:
            label = linear_probe(bank, labels, len(names))
        scores = probe_features(features.encode, label, self._test, progress)
        return Measured(scores.images, measures(scores.matrix, names), {"learnt_cells": float(len(labels))})


class DavisProbe:
    """Masks of a first frame carried through its video: J and F of DAVIS 2017.

    Raises:
        CorpusError: the folder has another layout.
    """

    unit = "videos"

    def __init__(self, corpus: CorpusConfig, config: ProbeConfig) -> None:
        self._videos: DavisVideos = open_davis(corpus.uri, config.split or "val")
        frames = {name: self._videos.length(name) for name in self._videos.names()}
        self.name, self.uri = "davis", corpus.uri
        self.fingerprint = _digest(frames)
        self.vocabulary = Vocabulary.of(["object"], "davis")
        self.total = len(frames)

    def measure(self, features: DenseFeatures, progress: Progress) -> Measured:
        from .dense_judging import judge_davis

        found = judge_davis(features.encode, self._videos, progress=progress)
        columns = {"miou": found.j, "pixel_accuracy": found.right / found.pixels, "classes": []}
        metrics = {"j": found.j, "f": found.f, "j_and_f": found.j_and_f, "objects": float(found.objects)}
        return Measured(found.frames, columns, metrics)


class BirdsProbe:
    """Waterbirds: how much the answer depends on the place (CLIPpy, Appendix H).

    Raises:
        ConfigError: the backbone has no texts.
        CorpusError: the folder has another layout.
    """

    unit = "images"

    def __init__(self, corpus: CorpusConfig, config: ProbeConfig) -> None:
        if config.backbone != CLIP_FEATURES:
            raise ConfigError(
                f"waterbirds are told apart by texts, and {config.backbone!r} has none: use clip"
            )
        self._rows: tuple[BirdRow, ...] = waterbirds(corpus.uri, config.split or "test")
        self.name, self.uri = _BIRDS, corpus.uri
        self.fingerprint = _digest([(row.key, row.bird, row.place) for row in self._rows])
        self.vocabulary = load_vocabulary(_BIRDS)
        self.total = len(self._rows)

    def measure(self, features: DenseFeatures, progress: Progress) -> Measured:
        from ..models.metrics.waterbirds import LANDBIRD, WATERBIRD
        from .dense_judging import judge_birds

        if features.embed is None:
            raise ConfigError(f"{features.id} has no texts")
        queries = features.embed(self.vocabulary)
        found = judge_birds(features.encode, self.uri, self._rows, queries, progress)
        total = sum(found.total.values())
        metrics = {
            "accuracy": sum(found.right.values()) / total if total else _NOT_A_NUMBER,
            "worst_group_accuracy": found.worst(),
            "waterbird_delta": found.delta(WATERBIRD),
            "landbird_delta": found.delta(LANDBIRD),
        }
        columns = {"miou": _NOT_A_NUMBER, "pixel_accuracy": _NOT_A_NUMBER, "classes": []}
        return Measured(total, columns, metrics)


def open_probe(kind: ProbeKind, corpus: CorpusConfig, config: ProbeConfig) -> Probe:
    """Open the data of a kind, without a model.

    Raises:
        ConfigError, CorpusError: see the kinds.
    """
    if kind == "davis":
        return DavisProbe(corpus, config)
    if kind == "waterbirds":
        return BirdsProbe(corpus, config)
    return PixelProbe(kind, corpus, config)


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
