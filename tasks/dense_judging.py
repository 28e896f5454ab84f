"""Judge dense features instead of masks: nearest neighbours, a linear probe, DAVIS, waterbirds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..catalogs.ground_truth import BirdRow, Dataset, DavisVideos, bird_images
from ..catalogs.images import decode_image
from ..models.metrics import ConfusionMatrix, video_scores
from ..models.metrics.features import LinearProbe, cell_labels, knn_labels
from ..models.metrics.waterbirds import GroupAccuracy, bird_of
from ..models.propagation import PropagationOptions, labels_at, propagate
from ..schemas.errors import StageError
from ..schemas.labelmap import IGNORE
from ..schemas.samples import Sample

# (H, W, 3) uint8 RGB -> (D, h, w) float32 features.
DenseEncoder = Callable[[NDArray[np.uint8]], Tensor]


@dataclass(frozen=True)
class ProbeScores:
    """mIoU of labelling features by their nearest neighbours and by a linear probe, in [0, 1]."""

    knn: float
    linear: float


@dataclass(frozen=True)
class VideoResult:
    """Means over the objects of all videos, in [0, 1]; ``j_and_f`` is the benchmark's J&F."""

    j: float
    f: float
    objects: int

    @property
    def j_and_f(self) -> float:
        return (self.j + self.f) / 2


def probe_features(encode: DenseEncoder, train: Dataset, test: Dataset, k: int = 20) -> ProbeScores:
    """Label the pixels of ``test`` by what the features of ``train`` say.

    Every cell of an image's grid is one feature, labelled by most of its pixels. Answers are upsampled to
    the image's size, the neighbours' to the nearest cell, the probe's logits bilinearly, and are judged by
    pixels. The background is a class like the others.

    Raises:
        StageError: an image cannot be read, or no cell is labelled.
        CorpusError: see :class:`maskmill.catalogs.ground_truth.GroundTruth`.
    """
    classes = len(train.truth.names())
    bank, labels = _bank(encode, train)
    probe = LinearProbe(classes).fit(bank, labels)
    knn, linear = ConfusionMatrix(classes), ConfusionMatrix(classes)
    for image, truth in _labelled(test):
        features = encode(image).cpu()
        cells, grid = features.flatten(1).T, features.shape[1:]
        near = knn_labels(bank, labels, cells, k).view(1, 1, *grid).float()
        answer = F.interpolate(near, truth.shape, mode="nearest-exact")[0, 0].long()
        knn.update(answer.numpy(), truth)
        linear.update(labels_at(probe.logits(cells).T.unflatten(1, grid), *truth.shape).numpy(), truth)
    return ProbeScores(knn.miou(), linear.miou())


def judge_davis(
    encode: DenseEncoder, videos: DavisVideos, options: PropagationOptions | None = None
) -> VideoResult:
    """Carry the masks of every video's first frame through it and measure J and F.

    Raises:
        CorpusError: a frame or an annotation cannot be read.
    """
    j: list[float] = []
    f: list[float] = []
    for video in videos.names():
        truths = list(videos.labels(video))
        answers = _carried(encode, videos.images(video), truths[0], options or PropagationOptions())
        for region, contour in video_scores(answers, truths).values():
            j.append(region.mean)
            f.append(contour.mean)
    if not j:
        raise StageError(f"no video of {videos.uri!r} has an object")
    return VideoResult(float(np.mean(j)), float(np.mean(f)), len(j))


def judge_birds(encode: DenseEncoder, uri: str, rows: tuple[BirdRow, ...], queries: Tensor) -> GroupAccuracy:
    """Tell waterbirds from landbirds in their own and in the other place (CLIPpy, Appendix H).

    Args:
        queries: (3, D) embeddings of the shipped vocabulary ``waterbirds``.

    Raises:
        CorpusError: an image is missing.
        SampleError: an image cannot be decoded.
    """
    accuracy = GroupAccuracy()
    for row, data in zip(rows, bird_images(uri, rows), strict=True):
        features = encode(decode_image(data)).flatten(1).T
        accuracy.update(bird_of(features, queries.to(features)), row.bird, row.place)
    return accuracy


def _carried(
    encode: DenseEncoder,
    images: Iterable[NDArray[np.uint8]],
    first: NDArray[np.uint16],
    options: PropagationOptions,
) -> list[NDArray[np.int64]]:
    """Return the labels of every frame, the first as given."""
    frames = (encode(image).cpu() for image in images)
    start = next(frames)
    ids = torch.from_numpy(first.astype(np.int64))
    sampled = F.interpolate(ids[None, None].float(), start.shape[1:], mode="nearest-exact")[0, 0].long()
    weights = F.one_hot(sampled, int(ids.max()) + 1).permute(2, 0, 1).float()
    rest = propagate(_chain(start, frames), weights, options)
    return [first.astype(np.int64), *(labels_at(w, *first.shape).numpy() for w in rest)]


def _chain(first: Tensor, rest: Iterator[Tensor]) -> Iterator[Tensor]:
    yield first
    yield from rest


def _bank(encode: DenseEncoder, dataset: Dataset) -> tuple[Tensor, Tensor]:
    features, labels = [], []
    for image, truth in _labelled(dataset):
        found = encode(image).cpu()
        ids = cell_labels(truth, found.shape[1], found.shape[2])
        judged = torch.from_numpy((ids != IGNORE).ravel())
        features.append(found.flatten(1).T[judged])
        labels.append(torch.from_numpy(ids.astype(np.int64).ravel())[judged])
    if not features or not sum(map(len, labels)):
        raise StageError(f"dataset {dataset.name!r} has no labelled cell")
    return torch.cat(features), torch.cat(labels)


def _labelled(dataset: Dataset) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint16]]]:
    for shard in dataset.reader.shards():
        for sample in dataset.reader.read(shard):
            if not isinstance(sample, Sample):
                raise StageError(f"image {sample.key!r} cannot be judged: {sample.reason}: {sample.detail}")
            yield decode_image(sample.image), dataset.truth.labels(sample.key)
