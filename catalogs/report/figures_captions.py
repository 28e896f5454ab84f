"""Figures about the caption filter. No statement sorts the captions: there may be many millions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from .data import Bin, CaptionExample, CaptionFigures, EntityFigures

_TOTALS = """
SELECT reason, count(*), count(*) FILTER (keep)
FROM captions WHERE list_contains($runs, run_id) GROUP BY reason ORDER BY count(*) DESC, reason
"""
# The filter numbers an image's captions from 0. Where no image has a second one, no id need be compared.
_IMAGES = """
SELECT count(*) FILTER (caption_index = 0), coalesce(max(caption_index), 0)
FROM captions WHERE list_contains($runs, run_id)
"""
_IMAGES_KEPT = """
SELECT count(DISTINCT (run_id, image_id::UUID)) FROM captions WHERE list_contains($runs, run_id) AND keep
"""
_PER_ENTITIES = """
SELECT least(len(entities), 6) AS n, count(*) FROM captions WHERE list_contains($runs, run_id) GROUP BY n
"""
# The counts in ``entities`` are those of the discovery, which may have seen a sample of the captions.
_ENTITIES = """
WITH named AS (
    SELECT entity, count(*) AS n
    FROM (SELECT unnest(entities) AS entity FROM captions WHERE list_contains($runs, run_id) AND keep)
    GROUP BY entity
), members AS (SELECT DISTINCT entity FROM entities WHERE list_contains($runs, run_id) AND keep)
SELECT entity, coalesce(n, 0) AS n FROM members FULL JOIN named USING (entity) ORDER BY n DESC, entity
"""
_REJECTED = """
SELECT entity, sum(count)::BIGINT AS n, arg_max(reason, count)
FROM entities WHERE list_contains($runs, run_id)
GROUP BY entity HAVING NOT bool_or(keep) ORDER BY n DESC, entity LIMIT $most
"""
_ENTITY_REASONS = """
SELECT reason, count(DISTINCT entity) AS nouns FROM entities WHERE list_contains($runs, run_id)
GROUP BY reason ORDER BY nouns DESC, reason
"""
# Image ids are hashes: the lowest look random, are the same in every report of this version, and DuckDB finds
# them without reading the captions of the others.
_EXAMPLES = """
SELECT image_id, left(caption, $longest + 1), spans, reason FROM captions
WHERE list_contains($runs, run_id) AND keep = $keep AND trim(caption) <> ''
ORDER BY image_id, caption_index LIMIT $most
"""
_MANY = 6
_SHOWN_REJECTED = 40
_SHOWN_EXAMPLES = 20
_LOOKED_AT = 10 * _SHOWN_EXAMPLES
_LONGEST = 400
_DECADES = ("0", "1-9", "10-99", "100-999", "1k-10k", "10k-100k", "100k-1M", "1M+")


def caption_figures(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> CaptionFigures:
    """Count captions, images and nouns, and take a few examples; `runs` are filter runs."""
    given = {"runs": list(runs)}
    reasons = db.execute(_TOTALS, given).fetchall()
    if not reasons:
        return CaptionFigures()
    kept = sum(kept for _, _, kept in reasons)
    images, images_kept = _images(db, runs, kept)
    entities = tuple(Bin(*row) for row in db.execute(_ENTITIES, given).fetchall())
    rejected = db.execute(_REJECTED, {**given, "most": _SHOWN_REJECTED}).fetchall()
    return CaptionFigures(
        total=sum(total for _, total, _ in reasons),
        kept=kept,
        images=images,
        images_kept=images_kept,
        reasons=tuple(Bin(reason, total) for reason, total, _ in reasons),
        per_entities=_per_entities(db, runs),
        per_entity=by_decade(entity.count for entity in entities),
        entities=entities,
        rejected=tuple(EntityFigures(*row) for row in rejected),
        entity_reasons=tuple(Bin(*row) for row in db.execute(_ENTITY_REASONS, given).fetchall()),
        kept_examples=_examples(db, runs, True),
        dropped_examples=_examples(db, runs, False),
    )


def cut(caption: str, spans: Sequence[dict[str, Any]]) -> tuple[tuple[str, str | None], ...]:
    """Cut a caption at its entity spans; spans that overlap an earlier one or leave it are skipped."""
    pieces: list[tuple[str, str | None]] = []
    at = 0
    for span in sorted(spans, key=lambda s: (s["start"], -s["end"])):
        start, end = span["start"], span["end"]
        if not at <= start < end <= len(caption):
            continue
        pieces += [(caption[at:start], None)] * (start > at)
        pieces.append((caption[start:end], span["entity"]))
        at = end
    pieces += [(caption[at:], None)] * (at < len(caption))
    return tuple(pieces)


def by_decade(counts: Iterable[int]) -> tuple[Bin, ...]:
    """Return how many counts lie in each power of ten, up to the last that holds any."""
    decades = Counter(min(len(str(count)) if count else 0, len(_DECADES) - 1) for count in counts)
    last = max(decades, default=-1)
    return tuple(Bin(name, decades[i]) for i, name in enumerate(_DECADES[: last + 1]))


def _images(db: duckdb.DuckDBPyConnection, runs: Sequence[str], kept: int) -> tuple[int, int]:
    """Return the number of images, and of those with a kept caption."""
    given = {"runs": list(runs)}
    images, last = db.execute(_IMAGES, given).fetchall()[0]
    return images, kept if last == 0 else db.execute(_IMAGES_KEPT, given).fetchall()[0][0]


def _per_entities(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> tuple[Bin, ...]:
    counts = dict(db.execute(_PER_ENTITIES, {"runs": list(runs)}).fetchall())
    names = [str(n) for n in range(_MANY)] + [f"{_MANY}+"]
    return tuple(Bin(name, counts.get(n, 0)) for n, name in enumerate(names))


def _examples(db: duckdb.DuckDBPyConnection, runs: Sequence[str], keep: bool) -> tuple[CaptionExample, ...]:
    """Return one caption of each of a few images."""
    given = {"runs": list(runs), "keep": keep, "most": _LOOKED_AT, "longest": _LONGEST}
    found: dict[str, CaptionExample] = {}
    for image_id, caption, spans, reason in db.execute(_EXAMPLES, given).fetchall():
        pieces = cut(caption[:_LONGEST], spans)
        if len(caption) > _LONGEST:
            pieces += (("…", None),)
        found.setdefault(image_id, CaptionExample(pieces, reason))
    return tuple(found.values())[:_SHOWN_EXAMPLES]
