"""What a worker does with the captions of one shard: read them once, count their nouns, decide on each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..catalogs.corpora import CorpusReader
from ..catalogs.files import FileAdd, write_rows
from ..schemas.errors import ErrorReason
from ..schemas.samples import BadSample, Shard
from ..schemas.tables import CAPTIONS
from .caption_rows import CaptionRules, ColumnMatch, caption_columns, identity_columns
from .entities import EntitySet, NounCounts
from .entity_source import RELEASED
from .label_rows import error_row
from .repeats import Repeats
from .staging import Staging

if TYPE_CHECKING:
    from .nouns import Nouns

STAGE = "filter"
_EVERY = 2**64
_LONGEST = 5_000  # characters of a caption whose nouns are counted; what is longer is a page, not a caption


@dataclass(frozen=True)
class Counting:
    """Which captions' nouns are counted.

    Args:
        nltk_data: a folder, None for NLTK's own search path.
        share: of the samples, in (0, 1]; chosen by a hash of seed and key, so that it depends on no order.
    """

    nltk_data: str | None
    share: float = 1.0
    seed: int = 0

    def chooses(self, key: str) -> bool:
        digest = hashlib.blake2b(f"{self.seed}\0{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.share * _EVERY


@dataclass(frozen=True)
class ReadResult:
    """What a worker reports of a shard: numbers of samples, captions and errors, and its nouns."""

    counts: Mapping[str, int]
    nouns: NounCounts | None


@dataclass(frozen=True)
class ReadJob:
    """Stages shards, and counts their nouns where ``counting`` is given; calling it loads the tagger."""

    reader: CorpusReader
    staging: Staging
    content: bool
    counting: Counting | None

    def __call__(self) -> Callable[[Shard], ReadResult]:
        if self.counting is None:
            return lambda shard: self._read(shard, None)
        # nltk takes 0.7 s to import, and a run with a named entity set never needs it.
        from .nouns import Nouns

        nouns = Nouns(self.counting.nltk_data)
        return lambda shard: self._read(shard, nouns)

    def _read(self, shard: Shard, nouns: Nouns | None) -> ReadResult:
        if shard.shard_id not in self.staging.done():
            bad: list[BadSample] = []
            self.staging.write(shard.shard_id, self._batches(shard, bad), bad)
        counts = {"samples": 0, "captions": 0, "errors": len(self.staging.faults(shard.shard_id))}
        found = None if nouns is None else NounCounts()
        for batch in self.staging.read(shard.shard_id):
            counts["samples"] += batch.num_rows
            counts["captions"] += len(batch.column("captions").flatten())
            if nouns is not None and found is not None:
                found.add(nouns.count(self._chosen(batch)))
        pruned = found.pruned(nouns.is_known) if nouns is not None and found is not None else None
        return ReadResult(counts, pruned)

    def _batches(self, shard: Shard, bad: list[BadSample]) -> Iterator[pa.RecordBatch]:
        for found in self.reader.captions(shard, self.content):
            if isinstance(found, BadSample):
                bad.append(found)
            else:
                yield found

    def _chosen(self, batch: pa.RecordBatch) -> list[str]:
        """Return the beginnings of the captions to count, without those of nothing but blanks."""
        counting = self.counting
        if counting is not None and counting.share < 1:
            chosen = [counting.chooses(key) for key in batch.column("key").to_pylist()]
            batch = batch.filter(pa.array(chosen, pa.bool_()))
        captions = batch.column("captions").flatten().drop_null()
        return [text[:_LONGEST] for text in captions.to_pylist() if text.strip()]


@dataclass(frozen=True)
class FilterItem:
    """One staged shard, and which of its samples stood in the corpus before."""

    shard: Shard
    repeats: Repeats = field(default_factory=Repeats)


@dataclass(frozen=True)
class FilterResult:
    """What a worker reports of a shard: the files it wrote, and how many captions and errors they hold."""

    adds: tuple[FileAdd, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class FilterJob:
    """Decides on the captions of staged shards; calling it builds the matcher."""

    corpus: str
    staging: Staging
    run_id: str
    entities: EntitySet
    rules: CaptionRules
    nltk_data: str | None = None

    def __call__(self) -> Callable[[FilterItem], FilterResult]:
        match = column_match(self.entities, self.nltk_data)
        return lambda item: self._filter(match, item)

    def _filter(self, match: ColumnMatch, item: FilterItem) -> FilterResult:
        name = item.shard.shard_id
        captions = pa.concat_tables([CAPTIONS.empty_table(), *self._tables(match, item)])
        errors = [self._error(name, bad) for bad in self.staging.faults(name)]
        errors += [self._error(name, bad) for bad in self._taken(item)]
        tables: dict[str, Any] = {"errors": errors, "captions": captions}
        adds = tuple(
            write_rows(self.staging.catalog_uri, table, self.run_id, name, rows)
            for table, rows in tables.items()
            if len(rows) or table == "captions"
        )
        kept = pc.sum(captions["keep"]).as_py() or 0
        number = pc.count(captions["caption"]).as_py()  # without the rows of images that have none
        counts = {"captions": number, "captions_kept": kept, "errors": len(errors)}
        return FilterResult(adds, counts)

    def _tables(self, match: ColumnMatch, item: FilterItem) -> Iterator[pa.Table]:
        start, name = 0, item.shard.shard_id
        for batch in self.staging.read(name):
            rows = np.arange(start, start + batch.num_rows)
            start += batch.num_rows
            stays = ~np.isin(rows, item.repeats.keys)
            repeated = np.isin(rows[stays], item.repeats.images)
            columns = caption_columns(batch.filter(pa.array(stays)), repeated, match, self.rules)
            columns |= identity_columns(self.corpus, columns["key"], name)
            yield pa.table(columns).select(CAPTIONS.names).cast(CAPTIONS)

    def _taken(self, item: FilterItem) -> Iterator[BadSample]:
        """Yield the samples whose key another shard, or an earlier row, has taken."""
        start = 0
        for batch in self.staging.read(item.shard.shard_id) if len(item.repeats.keys) else ():
            here = item.repeats.keys[
                (item.repeats.keys >= start) & (item.repeats.keys < start + batch.num_rows)
            ]
            for key in batch.column("key").take(pa.array(here - start)).to_pylist():
                detail = "an earlier sample of the corpus has this key; only that one is used"
                yield BadSample(key, ErrorReason.DUPLICATE_KEY, detail)
            start += batch.num_rows

    def _error(self, shard_id: str, bad: BadSample) -> dict[str, Any]:
        return error_row(STAGE, self.corpus, shard_id, bad.key, bad.reason, bad.detail)


def column_match(entities: EntitySet, nltk_data: str | None = None) -> ColumnMatch:
    """Return what finds a set's members in captions: by the rule of the authors' code for their own set.

    Args:
        nltk_data: folder of the data that the authors' rule needs, None for NLTK's search path.

    Raises:
        ConfigError: the authors' rule needs NLTK's data, and it is not there.
    """
    if entities.name == RELEASED:
        from .nltk_data import use_folder  # late: nltk, as above
        from .released_matching import released_matcher

        use_folder(nltk_data)
        return released_matcher()
    from .column_matching import ColumnMatcher

    return ColumnMatcher(entities)
