"""Judge one shard inside a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..catalogs.corpora import CorpusReader
from ..catalogs.ground_truth import GroundTruth
from ..catalogs.images import decode_image
from ..models.metrics import BoundaryScores, ConfusionMatrix
from ..schemas.config import EvaluateConfig, SegmenterConfig
from ..schemas.errors import SampleError, StageError
from ..schemas.labelmap import BACKGROUND, LabelMap
from ..schemas.samples import BadSample, Sample, Shard
from ..schemas.vocabulary import Vocabulary
from .judging import Judge
from .segmenting import default_segmenter, segment

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter

EvaluationSubject = SegmenterConfig | Path
Share = tuple[float, int]  # a sum, and the number of what is summed over


class Seen(NamedTuple):
    """One image that the protocol judges: (H, W, 3) uint8 pixels, (H, W) ids of the ground truth."""

    sample: Sample
    image: NDArray[np.uint8]
    truth: NDArray[np.uint16]


@dataclass(frozen=True)
class Judged:
    """One image with what was found in it.

    Args:
        counts: for each protocol.
        miou: by the first protocol, over the classes that the image holds.
        answer, target: ids of the vocabulary at the size that is judged, by the first protocol.
    """

    sample: Sample
    image: NDArray[np.uint8]
    truth: NDArray[np.uint16]
    prediction: LabelMap
    counts: tuple[NDArray[np.int64], ...]
    miou: float
    answer: NDArray[np.uint16]
    target: NDArray[np.uint16]


@dataclass(frozen=True)
class ShardScores:
    """What a worker reports of a shard.

    Args:
        counts: (classes, classes + 1) int64 for each protocol, as :class:`ConfusionMatrix` has them.
        images: (key, mIoU) of every judged image by the first protocol.
        boundary: per class the sum of the boundary F and the number of images, where it was asked for.
        left_out: images that the protocol does not judge.
        windows: whether images were seen through the protocol's windows and logits, or whole.
        shares: further metrics by name, for each protocol that has counts.
        notes: what else ``evaluations.details`` should say.
    """

    counts: tuple[NDArray[np.int64], ...]
    images: tuple[tuple[str, float], ...]
    subject_id: str
    weights: Mapping[str, str]
    boundary: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None
    left_out: int = 0
    windows: bool = False
    shares: tuple[Mapping[str, Share], ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)


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
        boundary = BoundaryScores(classes) if self.config.boundary else None
        samples, images = Counted(self.reader.read(shard)), []
        for judged in self.judged(segmenter, samples):
            for total, counts in zip(totals, judged.counts, strict=True):
                total.merge(counts)
            if boundary is not None:
                boundary.update(judged.answer, judged.target)
            images.append((judged.sample.key, judged.miou))
        return ShardScores(
            counts=tuple(total.counts for total in totals),
            images=tuple(images),
            subject_id=segmenter.id,
            weights=dict(segmenter.weights),
            boundary=None if boundary is None else (boundary.total, boundary.images),
            left_out=samples.count - len(images),
            windows=self._through_logits(segmenter),
        )

    def judged(self, segmenter: Segmenter, samples: Iterator[Sample | BadSample]) -> Iterator[Judged]:
        """Segment and judge samples; those that the protocol leaves out are passed over.

        Raises:
            StageError: a sample cannot be read, decoded or segmented; mIoU over the others would be another
                number.
            CorpusError: an image has no ground truth.
        """
        while batch := list(islice(samples, self.config.batch_images)):
            kept = list(self.seen(iter(batch)))
            maps = self._predict(segmenter, [one.sample for one in kept], [one.image for one in kept])
            for seen, prediction in zip(kept, maps, strict=True):
                yield self._judge(seen, prediction)

    def seen(self, samples: Iterator[Sample | BadSample]) -> Iterator[Seen]:
        """Decode the samples that the protocol judges, and read their ground truth.

        Raises:
            StageError, CorpusError: as :meth:`judged`.
        """
        for sample in samples:
            good = _readable(sample)
            seen = Seen(good, self._decode(good), self.truth.labels(good.key))
            if self.judge.counts(seen.truth):
                yield seen

    @staticmethod
    def truth_of(seen: Seen) -> NDArray[np.uint16]:
        """Return the ground truth of an image.

        Raises:
            StageError: it has not the image's size.
        """
        if seen.truth.shape != seen.image.shape[:2]:
            raise StageError(
                f"ground truth of image {seen.sample.key!r} is {seen.truth.shape[1]} x {seen.truth.shape[0]} "
                f"pixels, the image {seen.image.shape[1]} x {seen.image.shape[0]}"
            )
        return seen.truth

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
        answers = self._answers(segmenter, [images[i] for i in worth], [asked[i] for i in worth])
        found = dict(zip(worth, answers, strict=True))
        maps = [found.get(i, _nothing_in(image, self.judge)) for i, image in enumerate(images)]
        for sample, answer in zip(samples, maps, strict=True):
            if isinstance(answer, SampleError):
                raise StageError(f"image {sample.key!r} cannot be judged: {answer}")
        return [answer for answer in maps if isinstance(answer, LabelMap)]

    def _answers(
        self, segmenter: Segmenter, images: list[NDArray[np.uint8]], asked: list[Vocabulary]
    ) -> list[LabelMap | SampleError]:
        if not images:
            return []
        if self.judge.reads_grids and hasattr(segmenter, "grid_maps"):
            return segment(segmenter.grid_maps, images, asked, sized=False)
        if not self._through_logits(segmenter):
            return segment(segmenter, images, asked)
        from ..models.sliding import Sliding

        return segment(Sliding(segmenter, self.judge.protocol), images, asked)

    def _through_logits(self, segmenter: Segmenter) -> bool:
        from ..models.sliding import has_logits

        return has_logits(segmenter) and self.judge.reads_logits

    def _judge(self, seen: Seen, prediction: LabelMap) -> Judged:
        truth = self.truth_of(seen)
        classes = len(self.judge.vocabulary.classes)
        answer, targets = self.judge.compared(prediction, truth)
        matrices = [ConfusionMatrix(classes).update(answer, target) for target in targets]
        counts = tuple(matrix.counts for matrix in matrices)
        miou = matrices[0].miou()
        return Judged(seen.sample, seen.image, truth, prediction, counts, miou, answer, targets[0])


class Counted:
    """Samples, and how many have been taken."""

    def __init__(self, samples: Iterator[Sample | BadSample]) -> None:
        self._samples, self.count = samples, 0

    def __iter__(self) -> Iterator[Sample | BadSample]:
        return self

    def __next__(self) -> Sample | BadSample:
        sample = next(self._samples)
        self.count += 1
        return sample


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
