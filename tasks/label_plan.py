"""What a label run will do, worked out before any model is loaded; all configuration faults show here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..catalogs.corpora import corpus_fingerprint, open_corpus
from ..catalogs.parts import Part, parts_of
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig, LabelConfig, PoolConfig, SegmenterConfig
from ..schemas.vocabulary import Vocabulary, load_vocabulary
from .caption_filter import filter_run
from .label_shard import LabelItem, LabelJob
from .progress import Progress
from .runs import RunHead, default_run_id, remembered, results_hash
from .segmenting import complete_segmenter, default_segmenter, weight_files

if TYPE_CHECKING:  # at run time it would import torch into drivers that have nothing left to do
    from ..models.segmenters import Segmenter

CAPTIONS = "captions"


@dataclass(frozen=True)
class LabelPlan:
    """One label run.

    Args:
        catalog: where the run goes; made if it was not there.
        items: every shard of the corpus, also those that an earlier call has labelled.
        weights: what -> sha256, as far as known before a worker has loaded them.
        caption_counts: of the filter run; empty where captions play no part.
    """

    catalog: Catalog
    head: RunHead
    job: LabelJob
    items: tuple[LabelItem, ...]
    weights: Mapping[str, str]
    caption_counts: Mapping[str, int]


@dataclass(frozen=True)
class _Words:
    """Where vocabularies come from: one for all images, or a filter run and its files by shard id."""

    hash: str
    vocabulary: Vocabulary | None = None
    filter_run: str | None = None
    files: Mapping[str, Part] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


def plan_label(
    corpus: CorpusConfig,
    catalog_uri: str,
    config: LabelConfig,
    run_id: str | None,
    progress: Progress,
    segmenter_factory: Callable[[SegmenterConfig], Segmenter] | None,
) -> LabelPlan:
    """Check the configuration, list the shards and, where captions are the vocabulary, run the filter stage.

    Raises:
        ConfigError, WeightsError, CorpusError, StageError: see :func:`maskmill.tasks.label.label_run`.
    """
    named = None if config.vocabulary == CAPTIONS else load_vocabulary(config.vocabulary)
    if segmenter_factory is None:
        config = config.model_copy(update={"segmenter": complete_segmenter(config.segmenter)})
    reader = open_corpus(corpus)
    shards = reader.shards()
    weights = weight_files(config.segmenter) if segmenter_factory is None else {}
    catalog = Catalog.create_or_open(catalog_uri)
    words = _Words(named.hash, named) if named else _from_captions(corpus, catalog, config, progress)
    limits = (str(config.max_pixels), str(config.min_area))
    config_hash = results_hash(config.segmenter, words.hash, *limits, *sorted(weights.values()))
    fingerprint = corpus_fingerprint(shards)
    head = RunHead(
        kind="label",
        run_id=run_id or default_run_id("label", reader.name, fingerprint, config_hash),
        config=config,
        config_hash=config_hash,
        corpus=reader.name,
        corpus_uri=reader.uri,
        reading=remembered(corpus, reader),
        corpus_fingerprint=fingerprint,
        parent_run_id=words.filter_run,
    )
    job = LabelJob(
        reader, catalog.uri, head.run_id, config, words.vocabulary, segmenter_factory or default_segmenter
    )
    items = tuple(LabelItem(shard, words.files.get(shard.shard_id)) for shard in shards)
    return LabelPlan(catalog, head, job, items, weights, words.counts)


def _from_captions(corpus: CorpusConfig, catalog: Catalog, config: LabelConfig, progress: Progress) -> _Words:
    """Run the filter stage, on the label stage's pool unless it was given one of its own."""
    own_pool = config.filter.pool != PoolConfig()
    filter_config = config.filter if own_pool else config.filter.model_copy(update={"pool": config.pool})
    run = filter_run(corpus, catalog.uri, filter_config, progress=progress)
    files = catalog.run_files("captions", run.run_id)
    counts = {name: run.counts[name] for name in ("captions", "captions_kept")}
    return _Words(run.run_id, None, run.run_id, parts_of(files), counts)
