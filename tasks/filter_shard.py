"""What a worker does with the captions of one shard: count their nouns, or match them and write the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalogs.corpora import CorpusReader
from ..catalogs.files import FileAdd, write_rows
from ..schemas.errors import CaptionReason
from ..schemas.samples import BadSample, Sample, Shard, image_id
from .entities import EntitySet, NounCounts
from .label_rows import error_row
from .matching import Matcher

STAGE = "filter"


@dataclass(frozen=True)
class DiscoveryJob:
    """Counts nouns; calling it loads the tagger. ``nltk_data`` is a folder, None for NLTK's search path."""

    reader: CorpusReader
    nltk_data: str | None

    def __call__(self) -> Callable[[Shard], NounCounts]:
        # nltk takes 0.7 s to import, and a run with a named entity set never needs it.
        from .nouns import Nouns

        nouns = Nouns(self.nltk_data)
        return lambda shard: self._count(nouns, shard)

    def _count(self, nouns: Callable[[str], dict[str, str]], shard: Shard) -> NounCounts:
        counts = NounCounts()
        for sample in self.reader.read(shard):
            if isinstance(sample, Sample):
                for caption in sample.captions:
                    if not is_blank(caption):
                        counts.count(nouns(str(caption)))
        return counts


@dataclass(frozen=True)
class FilterResult:
    """What a worker reports of a shard: the files it wrote, and how many captions and errors they hold."""

    adds: tuple[FileAdd, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class FilterJob:
    """Matches captions; calling it builds the matcher."""

    reader: CorpusReader
    catalog_uri: str
    run_id: str
    entities: EntitySet

    def __call__(self) -> Callable[[Shard], FilterResult]:
        matcher = Matcher(self.entities)
        return lambda shard: self._filter(matcher, shard)

    def _filter(self, matcher: Matcher, shard: Shard) -> FilterResult:
        captions: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        name = self.reader.name
        for sample in self.reader.read(shard):
            if isinstance(sample, BadSample):
                errors.append(
                    error_row(STAGE, name, shard.shard_id, sample.key, sample.reason, sample.detail)
                )
                continue
            identity = {
                "image_id": image_id(name, sample.key),
                "corpus": name,
                "key": sample.key,
                "shard_id": shard.shard_id,
            }
            captions += [identity | row for row in caption_rows(sample.captions, matcher)]
        tables = {"errors": errors, "captions": captions}
        adds = tuple(
            write_rows(self.catalog_uri, table, self.run_id, shard.shard_id, rows)
            for table, rows in tables.items()
            if rows or table == "captions"
        )
        kept = sum(row["keep"] for row in captions)
        counts = {"captions": len(captions), "captions_kept": kept, "errors": len(errors)}
        return FilterResult(adds, counts)


def caption_rows(captions: Iterable[str | None], matcher: Matcher) -> list[dict[str, Any]]:
    """Return one row for each caption, or one of none, without the sample's identity."""
    rows = []
    for index, caption in enumerate(tuple(captions) or (None,)):
        text = None if caption is None else _storable(caption)
        blank = text is None or is_blank(text)
        entities, spans = matcher("" if text is None else text)
        reason = CaptionReason.KEPT if entities else CaptionReason.NO_ENTITY
        rows.append(
            {
                "caption_index": index,
                "caption": text,
                "keep": bool(entities),
                "reason": str(CaptionReason.NO_CAPTION if blank else reason),
                "entities": list(entities),
                "spans": [span._asdict() for span in spans],
            }
        )
    return rows


def is_blank(caption: str | None) -> bool:
    return caption is None or not caption.strip()


def _storable(caption: str) -> str:
    """Return the caption with lone surrogates, which JSON can hold and Parquet cannot, as question marks."""
    return caption.encode("utf-8", "replace").decode("utf-8")
