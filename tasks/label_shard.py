"""Label one shard inside a worker: read, decode ahead in threads, segment in batches, write the rows."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..catalogs.corpora import CorpusReader
from ..catalogs.files import FileAdd
from ..catalogs.images import decode_image
from ..catalogs.parts import Part, read_part
from ..schemas.config import LabelConfig, SegmenterConfig
from ..schemas.errors import CaptionReason, ErrorReason, SampleError
from ..schemas.samples import BadSample, Sample, Shard, image_id
from ..schemas.vocabulary import Vocabulary
from .label_rows import NO_VOCABULARY, DecodedImage, ShardRows
from .prefetch import map_ahead
from .segmenting import segment

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter

# Reasons of captions that are about the image itself.
_IMAGE_REASONS = frozenset((CaptionReason.DUPLICATE_IMAGE, CaptionReason.TOO_SMALL))


@dataclass(frozen=True)
class LabelItem:
    """One shard.

    Args:
        captions: where its caption rows lie, where captions are the vocabulary.
        rewrite_errors: a driver died after it had committed the shard's ``errors`` and before its ``images``,
            so that file must be replaced even where there is no error this time.
    """

    shard: Shard
    captions: Part | None = None
    rewrite_errors: bool = False


@dataclass(frozen=True)
class LabelResult:
    """What a worker reports of a shard.

    Args:
        counts: of images, masks and errors.
        reasons: of errors, code -> number.
        seconds: decode (summed over threads), wait (for decoded images), forward and write.
        weights: what -> sha256, as the segmenter says.
    """

    adds: tuple[FileAdd, ...]
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    seconds: Mapping[str, float]
    weights: Mapping[str, str]


@dataclass(frozen=True)
class LabelJob:
    """All that a worker needs, small enough to send; calling it loads the segmenter.

    ``vocabulary`` is None where every image has its own, from its captions.
    """

    reader: CorpusReader
    catalog_uri: str
    run_id: str
    config: LabelConfig
    vocabulary: Vocabulary | None
    segmenter_factory: Callable[[SegmenterConfig], Segmenter]

    def __call__(self) -> Callable[[LabelItem], LabelResult]:
        segmenter = self.segmenter_factory(self.config.segmenter)
        return lambda item: _ShardLabeller(self, segmenter, item).run()


class _ShardLabeller:
    def __init__(self, job: LabelJob, segmenter: Segmenter, item: LabelItem) -> None:
        self._job = job
        self._segmenter = segmenter
        self._item = item
        self._rows = ShardRows(job.reader.name, item.shard, segmenter.id, job.config.min_area)
        self._words = ImageWords() if item.captions is None else image_words(item.captions)
        self._seconds = dict.fromkeys(("decode", "wait", "forward", "write"), 0.0)

    def run(self) -> LabelResult:
        batch: list[tuple[DecodedImage, Vocabulary]] = []
        for image in self._decoded():
            vocabulary = self._vocabulary(image)
            if vocabulary is None:
                continue
            batch.append((image, vocabulary))
            if len(batch) == self._job.config.batch_images:
                self._label(batch)
                batch = []
        if batch:
            self._label(batch)
        with self._timed("write"):
            always = {"images", "masks"} | ({"errors"} if self._item.rewrite_errors else set())
            adds = self._rows.write(self._job.catalog_uri, self._job.run_id, always)
        counts = {table: len(getattr(self._rows, table)) for table in ("images", "masks", "errors")}
        reasons = Counter(row["reason"] for row in self._rows.errors)
        return LabelResult(adds, counts, reasons, self._seconds, dict(self._segmenter.weights))

    def _decoded(self) -> Iterator[DecodedImage]:
        """Yield the images that can be decoded and keep the others as errors."""
        config = self._job.config
        decode = partial(decode_sample, max_pixels=config.max_pixels)
        depth = config.batch_images + config.decode_threads
        samples = self._job.reader.read(self._item.shard)
        with closing(map_ahead(decode, samples, config.decode_threads, depth)) as ahead:
            while True:
                with self._timed("wait"):
                    outcome = next(ahead, None)
                if outcome is None:
                    return
                if isinstance(outcome, BadSample):
                    self._rows.failed(outcome.key, outcome.reason, outcome.detail)
                    continue
                self._seconds["decode"] += outcome.seconds
                yield outcome

    def _vocabulary(self, image: DecodedImage) -> Vocabulary | None:
        """Return what to look for in an image; where that is nothing, keep the image's row or error."""
        identity = image_id(self._job.reader.name, image.key)
        vocabulary = self._job.vocabulary or self._words.vocabularies.get(identity)
        if vocabulary is not None:
            return vocabulary
        if identity in self._words.without:
            self._rows.without_vocabulary(image, self._words.without[identity])
        else:
            detail = "the caption filter did not take it: its key was taken, or it could not be read"
            self._rows.failed(image.key, ErrorReason.NOT_FILTERED, detail)
        return None

    def _label(self, batch: list[tuple[DecodedImage, Vocabulary]]) -> None:
        with self._timed("forward"):
            outcomes = segment(self._segmenter, [image.pixels for image, _ in batch], [v for _, v in batch])
        with self._timed("write"):
            for (image, vocabulary), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, SampleError):
                    self._rows.failed(image.key, outcome.reason, outcome.detail)
                else:
                    self._rows.labelled(image, vocabulary, outcome)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[what] += time.perf_counter() - began


def decode_sample(sample: Sample | BadSample, max_pixels: int) -> DecodedImage | BadSample:
    """Decode a sample's image; a bad sample, or one whose image is bad, comes back as ``BadSample``."""
    if isinstance(sample, BadSample):
        return sample
    began = time.perf_counter()
    try:
        pixels = decode_image(sample.image, max_pixels)
    except SampleError as err:
        return BadSample(sample.key, err.reason, err.detail)
    digest = hashlib.sha256(sample.image).hexdigest()
    return DecodedImage(sample.key, pixels, digest, time.perf_counter() - began)


@dataclass(frozen=True)
class ImageWords:
    """What the captions of a shard's images say, by image id.

    Args:
        vocabularies: the entities of the kept captions, in order and once each.
        without: of images without a kept caption, the status that says why.
    """

    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)


def image_words(part: Part) -> ImageWords:
    """Read a shard's rows of ``captions``."""
    table = read_part("captions", part, ["image_id", "caption_index", "keep", "reason", "entities"])
    names: dict[str, dict[str, None]] = {}
    without: dict[str, str] = {}
    for row in sorted(table.to_pylist(), key=lambda row: row["caption_index"]):
        if row["keep"]:
            names.setdefault(row["image_id"], {}).update(dict.fromkeys(row["entities"]))
        elif row["image_id"] not in without:
            without[row["image_id"]] = row["reason"] if row["reason"] in _IMAGE_REASONS else NO_VOCABULARY
    shared: dict[tuple[str, ...], Vocabulary] = {}
    for entities in {tuple(n) for n in names.values()}:
        shared[entities] = Vocabulary.of(entities, "captions")
    found = {identity: shared[tuple(n)] for identity, n in names.items() if n}
    return ImageWords(found, {i: status for i, status in without.items() if i not in found})
