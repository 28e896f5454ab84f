"""Judge one shard inside a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..catalogs.corpora import CorpusReader
from ..catalogs.ground_truth import GroundTruth
from ..catalogs.images import decode_image
from ..models.metrics import ConfusionMatrix
from ..schemas.config import EvaluateConfig, SegmenterConfig
from ..schemas.errors import SampleError, StageError
from ..schemas.labelmap import BACKGROUND, LabelMap
from ..schemas.samples import BadSample, Sample, Shard
from .judging import Judge
from .segmenting import default_segmenter, segment

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter

EvaluationSubject = SegmenterConfig | Path


@dataclass(frozen=True)
class Judged:
    """One image with what was found in it; ``miou`` is by the first protocol, over the classes that it
    holds.
    """

    sample: Sample
    image: NDArray[np.uint8]
    truth: NDArray[np.uint16]
    prediction: LabelMap
    counts: tuple[NDArray[np.int64], ...]
    miou: float


@dataclass(frozen=True)
class ShardScores:
    """What a worker reports of a shard.

    Args:
        counts: (classes, classes + 1) int64 for each protocol, as :class:`ConfusionMatrix` has them.
        images: (key, mIoU) of every image by the first protocol.
    """

    counts: tuple[NDArray[np.int64], ...]
    images: tuple[tuple[str, float], ...]
    subject_id: str
    weights: Mapping[str, str]


@dataclass(frozen=True)
class EvaluateJob:
    """All that a worker needs, small enough to send; calling it loads the subject."""

    subject: EvaluationSubject
    reader: CorpusReader
    truth: GroundTruth
    judge: Judge
    config: EvaluateConfig

    def __call__(self) -> Callable[[Shard], ShardScores]:
        segmenter = load_subject(self.subject, self.config.device)
        return lambda shard: self._score(segmenter, shard)

    def _score(self, segmenter: Segmenter, shard: Shard) -> ShardScores:
        classes = len(self.judge.vocabulary.classes)
        totals = [ConfusionMatrix(classes) for _ in self.judge.protocols]
        images = []
        for judged in self.judged(segmenter, self.reader.read(shard)):
            for total, counts in zip(totals, judged.counts, strict=True):
                total.merge(counts)
            images.append((judged.sample.key, judged.miou))
        summed = tuple(total.counts for total in totals)
        return ShardScores(summed, tuple(images), segmenter.id, dict(segmenter.weights))

    def judged(self, segmenter: Segmenter, samples: Iterator[Sample | BadSample]) -> Iterator[Judged]:
        """Segment and judge samples.

        Raises:
            StageError: a sample cannot be read, decoded or segmented; mIoU over the others would be another
                number.
            CorpusError: an image has no ground truth.
        """
        while batch := list(islice(samples, self.config.batch_images)):
            good = [_readable(sample) for sample in batch]
            images = [self._decode(sample) for sample in good]
            maps = self._predict(segmenter, good, images)
            for sample, image, prediction in zip(good, images, maps, strict=True):
                yield self._judge(sample, image, prediction)

    def _decode(self, sample: Sample) -> NDArray[np.uint8]:
        try:
            return decode_image(sample.image, self.config.max_pixels)
        except SampleError as err:
            raise StageError(f"image {sample.key!r} cannot be judged: {err}") from err

    def _predict(
        self, segmenter: Segmenter, samples: list[Sample], images: list[NDArray[np.uint8]]
    ) -> list[LabelMap]:
        asked = [self.judge.asked(sample.captions) for sample in samples]
        worth = [i for i, vocabulary in enumerate(asked) if len(vocabulary.classes) > 1]
        answers = segment(segmenter, [images[i] for i in worth], [asked[i] for i in worth]) if worth else []
        found = dict(zip(worth, answers, strict=True))
        maps = [found.get(i, _nothing_in(image, self.judge)) for i, image in enumerate(images)]
        for sample, answer in zip(samples, maps, strict=True):
            if isinstance(answer, SampleError):
                raise StageError(f"image {sample.key!r} cannot be judged: {answer}")
        return [answer for answer in maps if isinstance(answer, LabelMap)]

    def _judge(self, sample: Sample, image: NDArray[np.uint8], prediction: LabelMap) -> Judged:
        truth = self.truth.labels(sample.key)
        if truth.shape != image.shape[:2]:
            raise StageError(
                f"ground truth of image {sample.key!r} is {truth.shape[1]} x {truth.shape[0]} pixels, "
                f"the image {image.shape[1]} x {image.shape[0]}"
            )
        answer, classes = self.judge.answered(prediction), len(self.judge.vocabulary.classes)
        matrices = [ConfusionMatrix(classes).update(answer, target) for target in self.judge.targets(truth)]
        counts = tuple(matrix.counts for matrix in matrices)
        return Judged(sample, image, truth, prediction, counts, matrices[0].miou())


def load_subject(subject: EvaluationSubject, device: str) -> Segmenter:
    """Load a segmenter by its configuration, or a student by its file onto ``device``."""
    if isinstance(subject, SegmenterConfig):
        return default_segmenter(subject)
    from ..models.students.segmenter import StudentSegmenter

    return StudentSegmenter(subject, device)


def _readable(sample: Sample | BadSample) -> Sample:
    if isinstance(sample, BadSample):
        raise StageError(f"image {sample.key!r} cannot be judged: {sample.reason}: {sample.detail}")
    return sample


def _nothing_in(image: NDArray[np.uint8], judge: Judge) -> LabelMap:
    """An image whose captions name nothing has nothing to be found."""
    size = image.shape[:2]
    labels, scores = np.full(size, BACKGROUND, np.uint16), np.ones(size, np.float16)
    return LabelMap(labels, scores, judge.vocabulary.names[:1])
