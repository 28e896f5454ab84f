"""(image, caption, entities) triplets of a filter run, one per image and epoch, for trainers."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, Self

import pyarrow as pa

from ..schemas.config import CorpusConfig
from ..schemas.errors import CatalogError
from ..schemas.samples import BadSample, Sample
from ..schemas.tables import PARTITION
from .corpora import open_corpus
from .kept_captions import COLUMNS, caption_files, draw_caption, kept_groups, kept_rows
from .parts import parts_of
from .run_corpus import corpus_of
from .store import Catalog


class Mention(NamedTuple):
    """Characters ``start`` to ``end`` (half-open, in code points of the caption) name ``entity``."""

    start: int
    end: int
    entity: str


@dataclass(frozen=True)
class Triplet:
    """An image, one of its kept captions and the entities that the caption names.

    Args:
        image_id, key, shard_id: which image, and where it lies in the corpus.
        caption_index: which of the image's captions.
        entities: canonical names in the order of first mention, once each.
        spans: every mention of them.
    """

    image_id: str
    key: str
    shard_id: str
    caption_index: int
    caption: str
    entities: tuple[str, ...]
    spans: tuple[Mention, ...]


class TripletStream:
    """The triplets of one finished filter run in a pinned version, read file by file.

    An image without a kept caption is left out (CLIPpy, Ranasinghe et al. 2023, appendix C; OVSegmentor,
    Xu et al. 2023, sections 3.1.2 and 4.1). Of several kept captions each epoch shows one, drawn uniformly by
    a hash of (seed, epoch, image id): ranks, workers and order do not matter. In memory is one row group of
    captions, at most 16,384.

    Ranks share the files out, and the workers of a torch ``DataLoader`` share their rank's; so a rank or
    worker beyond the number of files gets nothing, and shares differ in length.

    Args:
        uri: the catalog.
        version: catalog version or tag; None pins the newest.
        run_id: filter run; None takes the newest finished one in the version.
        seed, epoch: what the captions are drawn by.
        shard: (rank, number of ranks).

    Attributes:
        version, run_id, run: what was pinned, and its row of ``runs``.

    Raises:
        CatalogError: no such version or filter run.
        ValueError: the rank does not lie in [0, number of ranks).
    """

    def __init__(
        self,
        uri: str,
        version: int | str | None = None,
        run_id: str | None = None,
        seed: int = 0,
        epoch: int = 0,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        rank, ranks = shard
        if not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} of {ranks} ranks: it counts from 0 to {ranks - 1}")
        catalog = Catalog.open(uri)
        self.version = catalog.resolve(version)
        self.run = catalog.newest_run("filter", self.version, run_id)
        self.run_id: str = self.run[PARTITION]
        self.seed, self.epoch = seed, epoch
        self._files = caption_files(catalog, self.version, self.run_id)[rank::ranks]

    def at_epoch(self, epoch: int) -> Self:
        """Return the same stream with the captions of another epoch."""
        other = copy.copy(self)
        other.epoch = epoch
        return other

    def __iter__(self) -> Iterator[Triplet]:
        """Yield one triplet per image.

        Raises:
            CatalogError: a file of the catalog is missing or damaged.
        """
        for file in self._share():
            yield from self._drawn(kept_groups(file))

    def samples(self, corpus: CorpusConfig | None = None) -> Iterator[tuple[Sample, Triplet]]:
        """Yield each triplet with its image, in the order of the corpus; in memory are a shard's triplets.

        Images that cannot be read are left out, as long as others of their shard can.

        Args:
            corpus: where the images lie now; default: where the run found them.

        Raises:
            CorpusError: the corpus is gone.
            CatalogError: a shard or an image is gone, or no image of a shard can be read.
        """
        reader = open_corpus(corpus or corpus_of(self.run))
        parts = parts_of(self._share())
        for shard in reader.shards():
            if shard.shard_id in parts:
                rows = kept_rows(parts.pop(shard.shard_id))
                wanted = {triplet.key: triplet for triplet in self._drawn([rows])}
                yield from _joined(reader.read(shard), wanted, shard.shard_id)
        if parts:
            raise CatalogError(
                f"corpus {reader.uri!r} has no shard {min(parts)!r}, which run {self.run_id!r} filtered: "
                "name where the corpus lies now, with the same shard size"
            )

    def _share(self) -> tuple[str, ...]:
        worker, workers = _loader_worker()
        return self._files[worker::workers]

    def _drawn(self, groups: Iterable[pa.Table]) -> Iterator[Triplet]:
        rows = (triplet for group in groups for triplet in triplets_of(group))
        for image_id, found in groupby(rows, attrgetter("image_id")):
            by_index = {triplet.caption_index: triplet for triplet in found}
            yield by_index[draw_caption(list(by_index), image_id, self.seed, self.epoch)]


def triplets_of(rows: pa.Table) -> Iterator[Triplet]:
    """Yield a triplet for every row of a table with the columns of ``captions`` that it needs."""
    columns = [rows[name].to_pylist() for name in COLUMNS]
    for image_id, key, shard_id, index, caption, entities, spans in zip(*columns, strict=True):
        mentions = tuple(Mention(s["start"], s["end"], s["entity"]) for s in spans)
        yield Triplet(image_id, key, shard_id, index, caption, tuple(entities), mentions)


def masked(triplet: Triplet, entity: str | None = None, mask: str = "[MASK]") -> str:
    """Return the caption with every mention of ``entity`` replaced by ``mask``.

    With all entities masked, the default, it is what a model completes in masked entity completion
    (OVSegmentor, Xu et al. 2023, sections 3.1.2 and 3.2). Mentions that overlap become one mask; the rest of
    the caption stays as it is, character by character.

    Raises:
        ValueError: the caption does not name the entity.
    """
    mentions = sorted(span for span in triplet.spans if entity in (None, span.entity))
    if entity is not None and not mentions:
        raise ValueError(f"caption {triplet.caption_index} of image {triplet.key!r} names no {entity!r}")
    pieces: list[str] = []
    at = 0
    for start, end, _ in mentions:
        if start >= at:
            pieces += [triplet.caption[at:start], mask]
        at = max(at, end)
    return "".join([*pieces, triplet.caption[at:]])


def _joined(
    samples: Iterator[Sample | BadSample], wanted: Mapping[str, Triplet], shard_id: str
) -> Iterator[tuple[Sample, Triplet]]:
    left, bad = dict(wanted), []
    for sample in samples:
        triplet = left.pop(sample.key, None) if sample.key is not None else None
        if triplet is not None and isinstance(sample, Sample):
            yield sample, triplet
        elif triplet is not None and isinstance(sample, BadSample):
            bad.append(sample)
    if left:
        raise CatalogError(
            f"shard {shard_id!r} has lost image {min(left)!r} since its captions were filtered"
        )
    # One image may be bad; if all are, the corpus is looked for in the wrong place.
    if bad and len(bad) == len(wanted):
        raise CatalogError(
            f"none of the {len(bad):,} images of shard {shard_id!r} can be read; "
            f"{bad[0].key!r}: {bad[0].reason}, {bad[0].detail}"
        )


def _loader_worker() -> tuple[int, int]:
    """Return (index, count) of the torch ``DataLoader`` worker that this process is; (0, 1) elsewhere."""
    # A process that has not loaded torch's loaders is no worker of one.
    loaders: Any = sys.modules.get("torch.utils.data")
    info = loaders.get_worker_info() if loaders is not None else None
    return (0, 1) if info is None else (info.id, info.num_workers)
