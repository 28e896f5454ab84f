"""The stage that trains FOUND's head on the images of a corpus: no captions, no masks."""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..catalogs.corpora import open_corpus
from ..catalogs.images import decode_image
from ..models.device import resolve_device
from ..models.encoders.clip import load_clip
from ..models.encoders.weights import file_sha256
from ..models.objectness.backbones import DenseBackbone, clip_backbone
from ..models.objectness.heads import FoundHead, save_head
from ..models.objectness.timm_backbone import TimmBackbone
from ..models.objectness.training import FoundTrainingConfig, train_found_head
from ..models.resizing import resize_long_side
from ..schemas.config import CorpusConfig, ObjectnessConfig
from ..schemas.errors import ConfigError, CorpusError, SampleError
from ..schemas.samples import BadSample
from .progress import SILENT, Progress

_LONGEST = 1333
_SHARDS = 16  # over which the images are spread, where there are so many


@dataclass(frozen=True)
class ObjectnessSummary:
    """A head that was trained.

    Args:
        head: its file, which ``--objectness`` takes; ``HEAD.json`` beside it holds its record.
        sha256: of the file.
        images: learned from.
        skipped: images that could not be read.
        loss: mean of the last 50 iterations.
    """

    head: Path
    sha256: str
    images: int
    skipped: int
    loss: float
    seconds: float


def train_objectness(
    corpus: CorpusConfig, out: Path, config: ObjectnessConfig, progress: Progress = SILENT
) -> ObjectnessSummary:
    """Train a head and write it to ``out``, its settings in it and its record beside it.

    Args:
        corpus: any corpus with images; the same seed draws the same images of it.
        out: a ``.safetensors`` file, replaced at once.

    Raises:
        ConfigError: ``out`` cannot be written or is no ``.safetensors``.
        CorpusError: the corpus holds no image that can be read.
        WeightsError: the backbone cannot be loaded.
    """
    began = time.monotonic()
    if out.suffix != ".safetensors":
        raise ConfigError(f"the head is written as safetensors; give a file *.safetensors, not {str(out)!r}")
    backbone, settings = _backbone(config)
    images, skipped = _read(corpus, config, progress)
    progress.start("train FOUND head", config.iterations, "iterations")
    try:
        head, losses = train_found_head(
            backbone, images, _recipe(config), lambda step, loss: progress.advance(1)
        )
    finally:
        progress.finish()
    if config.short_side is not None:
        settings["short_side"] = str(config.short_side)
    last = losses[-50:]
    summary = ObjectnessSummary(out, "", len(images), skipped, sum(last) / len(last), 0.0)
    return _write(replace(head, settings=settings), summary, corpus, config, began)


def _backbone(config: ObjectnessConfig) -> tuple[DenseBackbone, dict[str, str]]:
    """Return the backbone, and how the head's file names it."""
    if config.backbone == "clip":
        clip = load_clip(config.clip, config.device)
        settings = {"backbone": "clip", "clip_sha256": clip.sha256}
        return clip_backbone(clip, config.layer), settings | ({"layer": config.layer} if config.layer else {})
    kind, _, name = config.backbone.partition(":")
    if kind != "timm" or not name:
        raise ConfigError(f"no backbone {config.backbone!r}: give 'clip' or 'timm:' with a name or folder")
    return TimmBackbone(name, resolve_device(config.device)), {"backbone": config.backbone}


def _recipe(config: ObjectnessConfig) -> FoundTrainingConfig:
    shared = {f.name for f in fields(FoundTrainingConfig)} & set(ObjectnessConfig.model_fields)
    return FoundTrainingConfig(**{name: getattr(config, name) for name in shared})


def _read(corpus: CorpusConfig, config: ObjectnessConfig, progress: Progress) -> tuple[list[Tensor], int]:
    """Return the images that were drawn, (3, H, W) in [0, 1], and how many of them could not be read."""
    images: list[Tensor] = []
    skipped = 0
    progress.start("read images", config.images, "images")
    try:
        for key, data in islice(_drawn(corpus, config), config.images):
            try:
                pixels = decode_image(data, config.max_pixels)
                picture = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
                images.append(resize_long_side(picture, _LONGEST))
            except SampleError as err:
                progress.say(f"image {key!r} is left out: {err}")
                skipped += 1
            progress.advance(1)
    finally:
        progress.finish()
    if not images:
        raise CorpusError(f"corpus {corpus.uri!r} holds no image that can be read")
    return images, skipped


def _drawn(corpus: CorpusConfig, config: ObjectnessConfig) -> Iterator[tuple[str, bytes]]:
    """Yield images of shards in an order that the seed shuffles, no more than a share of each, so that a
    large corpus need not be read through.
    """
    reader = open_corpus(corpus)
    shards = sorted(reader.shards(), key=lambda shard: _rank(config.seed, shard.shard_id))
    quota = math.ceil(config.images / max(1, min(len(shards), _SHARDS)))
    for shard in shards:
        good = (sample for sample in reader.read(shard) if not isinstance(sample, BadSample))
        chosen = heapq.nsmallest(quota, good, key=lambda sample: _rank(config.seed, sample.key))
        yield from ((sample.key, sample.image) for sample in chosen)


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def _write(
    head: FoundHead, summary: ObjectnessSummary, corpus: CorpusConfig, config: ObjectnessConfig, began: float
) -> ObjectnessSummary:
    out = summary.head
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        save_head(head, partial)
        partial.replace(out)
        done = replace(summary, sha256=file_sha256(out), seconds=time.monotonic() - began)
        record = {
            "sha256": done.sha256,
            "corpus": corpus.model_dump(mode="json"),
            "config": config.model_dump(mode="json"),
            "images": done.images,
            "skipped": done.skipped,
            "loss": round(done.loss, 4),
            "seconds": round(done.seconds, 1),
        }
        out.with_name(f"{out.name}.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    except OSError as err:
        raise ConfigError(f"head {str(out)!r} cannot be written: {err}") from err
    return done
