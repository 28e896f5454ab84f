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
from ..schemas.vocabulary import load_vocabulary
from .progress import SILENT, Progress

# (H, W, 3) uint8 RGB -> (D, h, w) float32 features.
DenseEncoder = Callable[[NDArray[np.uint8]], Tensor]
# (D, h, w) features and the image's (height, width) -> (height, width) int64 class ids.
Labeller = Callable[[Tensor, tuple[int, int]], Tensor]
Bank = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class ProbeScores:
    """Pixels that were labelled by features alone, over the classes of the ground truth."""

    matrix: ConfusionMatrix
    images: int


@dataclass(frozen=True)
class VideoResult:
    """Means over the objects of all videos, in [0, 1]; ``j_and_f`` is the benchmark's J&F.

    Args:
        j, f: region similarity and contour accuracy.
        objects: number of them.
        right, pixels: number of rightly labelled pixels, and of all, of the frames that are judged.
        frames: that were looked at.
    """

    j: float
    f: float
    objects: int
    right: int
    pixels: int
    frames: int

    @property
    def j_and_f(self) -> float:
        return (self.j + self.f) / 2


def nearest_neighbours(bank: Tensor, labels: Tensor, k: int = 20) -> Labeller:
    """Return what labels features by their nearest neighbours in a bank (:func:`knn_labels`)."""

    def label(features: Tensor, size: tuple[int, int]) -> Tensor:
        cells = knn_labels(bank, labels, features.flatten(1).T, k).view(1, 1, *features.shape[1:])
        return F.interpolate(cells.float(), size, mode="nearest-exact")[0, 0].long()

    return label


def linear_probe(bank: Tensor, labels: Tensor, classes: int) -> Labeller:
    """Return what labels features by a linear probe (:class:`LinearProbe`) learnt from a bank."""
    probe = LinearProbe(classes).fit(bank, labels)

    def label(features: Tensor, size: tuple[int, int]) -> Tensor:
        logits = probe.logits(features.flatten(1).T).T.unflatten(1, features.shape[1:])
        return labels_at(logits, *size)

    return label


def feature_bank(encode: DenseEncoder, dataset: Dataset, progress: Progress = SILENT) -> Bank:
    """Return the (N, D) features of all labelled cells of a dataset and their (N,) int64 labels.

    Every cell of an image's grid is one feature, labelled by most of its pixels.

    Raises:
        StageError: an image cannot be read, or no cell is labelled.
        CorpusError: see :class:`maskmill.catalogs.ground_truth.GroundTruth`.
    """
    features, labels = [], []
    for image, truth in _labelled(dataset, progress):
        found = encode(image).cpu()
        ids = cell_labels(truth, found.shape[1], found.shape[2])
        judged = torch.from_numpy((ids != IGNORE).ravel())
        features.append(found.flatten(1).T[judged])
        labels.append(torch.from_numpy(ids.astype(np.int64).ravel())[judged])
    if not features or not sum(map(len, labels)):
        raise StageError(f"dataset {dataset.name!r} has no labelled cell")
    return torch.cat(features), torch.cat(labels)


def probe_features(
    encode: DenseEncoder, label: Labeller, test: Dataset, progress: Progress = SILENT
) -> ProbeScores:
    """Label the pixels of ``test`` by what the features of another dataset say.

    Answers are upsampled to the image's size, the neighbours' to the nearest cell, the probe's logits
    bilinearly, and are judged by pixels. The background is a class like the others where the dataset's
    vocabulary has one; else it is not judged.

    Raises:
        StageError: an image cannot be read.
        CorpusError: see :class:`maskmill.catalogs.ground_truth.GroundTruth`.
    """
    matrix, images = ConfusionMatrix(len(test.truth.names())), 0
    for image, truth in _labelled(test, progress):
        matrix.update(label(encode(image).cpu(), (truth.shape[0], truth.shape[1])).numpy(), truth)
        images += 1
    return ProbeScores(matrix, images)


def judge_davis(
    encode: DenseEncoder,
    videos: DavisVideos,
    options: PropagationOptions | None = None,
    progress: Progress = SILENT,
) -> VideoResult:
    """Carry the masks of every video's first frame through it and measure J and F.

    Raises:
        CorpusError: a frame or an annotation cannot be read.
        StageError: no video has an object.
    """
    j: list[float] = []
    f: list[float] = []
    right = pixels = frames = 0
    for video in videos.names():
        truths = list(videos.labels(video))
        answers = _carried(encode, videos.images(video), truths[0], options or PropagationOptions())
        for region, contour in video_scores(answers, truths).values():
            j.append(region.mean)
            f.append(contour.mean)
        # The given frame and the last one are not judged: see video_scores.
        judged = [(a, t, t != IGNORE) for a, t in zip(answers[1:-1], truths[1:-1], strict=True)]
        right += sum(int(((a == t) & known).sum()) for a, t, known in judged)
        pixels += sum(int(known.sum()) for _, _, known in judged)
        frames += len(truths)
        progress.advance(1, images=len(truths))
    if not j:
        raise StageError(f"no video of {videos.uri!r} has an object")
    return VideoResult(float(np.mean(j)), float(np.mean(f)), len(j), right, pixels, frames)


def judge_birds(
    encode: DenseEncoder, uri: str, rows: tuple[BirdRow, ...], queries: Tensor, progress: Progress = SILENT
) -> GroupAccuracy:
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
        progress.advance(1, images=1)
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


def _labelled(dataset: Dataset, progress: Progress) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint16]]]:
    # Where a vocabulary has no background, class 0 is what nobody has labelled.
    judged_zero = load_vocabulary(dataset.vocabulary).has_background
    for shard in dataset.reader.shards():
        images = 0
        for sample in dataset.reader.read(shard):
            if not isinstance(sample, Sample):
                raise StageError(f"image {sample.key!r} cannot be judged: {sample.reason}: {sample.detail}")
            truth = dataset.truth.labels(sample.key)
            yield decode_image(sample.image), truth if judged_zero else np.where(truth == 0, IGNORE, truth)
            images += 1
        progress.advance(1, images=images)
