"""Figures about the caption filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from .data import Bin, CaptionExample, CaptionFigures, EntityFigures

_TOTALS = """
SELECT reason, count(*), count(*) FILTER (keep)
FROM captions WHERE list_contains($runs, run_id) GROUP BY reason ORDER BY count(*) DESC, reason
"""
_PER_ENTITIES = """
SELECT least(len(entities), 6) AS n, count(*) FROM captions WHERE list_contains($runs, run_id) GROUP BY n
"""
_ENTITIES = """
SELECT entity, sum(count)::BIGINT AS n, bool_or(keep) AS kept, arg_max(reason, count) AS why
FROM entities WHERE list_contains($runs, run_id)
GROUP BY entity HAVING $wanted IS NULL OR bool_or(keep) = $wanted
ORDER BY n DESC, entity LIMIT $most
"""
_ENTITY_REASONS = """
SELECT reason, count(*) FROM entities WHERE list_contains($runs, run_id)
GROUP BY reason ORDER BY count(*) DESC, reason
"""
# Ordered by a hash of the identity: looks random, and is the same in every report of this version.
_EXAMPLES = """
SELECT caption, spans, reason FROM captions
WHERE list_contains($runs, run_id) AND keep = $keep AND trim(caption) <> ''
ORDER BY md5(image_id || '/' || caption_index), caption LIMIT $most
"""
_MANY = 6
_SHOWN_ENTITIES = 40
_SHOWN_REJECTED = 24
_SHOWN_EXAMPLES = 10


def caption_figures(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> CaptionFigures:
    """Count captions and candidate nouns, and take a few examples; `runs` are filter runs."""
    given = {"runs": list(runs)}
    reasons = db.execute(_TOTALS, given).fetchall()
    if not reasons:
        return CaptionFigures()
    per = dict(db.execute(_PER_ENTITIES, given).fetchall())
    names = [str(n) for n in range(_MANY)] + [f"{_MANY}+"]
    return CaptionFigures(
        total=sum(total for _, total, _ in reasons),
        kept=sum(kept for _, _, kept in reasons),
        reasons=tuple(Bin(reason, total) for reason, total, _ in reasons),
        per_entities=tuple(Bin(name, per.get(n, 0)) for n, name in enumerate(names)),
        entities=_entities(db, runs, None, _SHOWN_ENTITIES),
        rejected=_entities(db, runs, False, _SHOWN_REJECTED),
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


def _entities(
    db: duckdb.DuckDBPyConnection, runs: Sequence[str], wanted: bool | None, most: int
) -> tuple[EntityFigures, ...]:
    given = {"runs": list(runs), "wanted": wanted, "most": most}
    return tuple(EntityFigures(*row) for row in db.execute(_ENTITIES, given).fetchall())


def _examples(db: duckdb.DuckDBPyConnection, runs: Sequence[str], keep: bool) -> tuple[CaptionExample, ...]:
    given = {"runs": list(runs), "keep": keep, "most": _SHOWN_EXAMPLES}
    rows = db.execute(_EXAMPLES, given).fetchall()
    return tuple(CaptionExample(cut(caption, spans), reason) for caption, spans, reason in rows)
