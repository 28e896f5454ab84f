"""The Arrow columns ``entities`` and ``spans`` of many captions, built from flat arrays of mentions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..schemas.tables import CAPTIONS
from .matching import Match

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """What captions name: one row per caption, empty lists where it names nothing.

    Args:
        entities: list<string>, each entity once in order of first mention.
        spans: list<struct<start: int32, end: int32, entity: string>>, every mention in order; half-open
            ranges of code points.
    """

    entities: pa.ListArray
    spans: pa.ListArray


@dataclass(frozen=True)
class Mentions:
    """Mentions in captions, all arrays (mentions,): the caption's number, where it is named, the entity's id.

    They are in order of captions, and of places within a caption.
    """

    rows: Indices
    starts: Indices
    ends: Indices
    entities: Indices

    @classmethod
    def of(cls, found: Iterable[tuple[int, Match]], ids: Mapping[str, int]) -> Self:
        """Make them of captions matched one by one; ``found`` holds their numbers, ascending."""
        flat = [(row, s.start, s.end, ids[s.entity]) for row, match in found for s in match.spans]
        return cls(*np.array(flat, np.int64).reshape(-1, 4).T)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the mentions of captions that follow each other."""
        arrays = zip(*((p.rows, p.starts, p.ends, p.entities) for p in parts), strict=True)
        return cls(*(np.concatenate(a) for a in arrays)) if parts else cls.of((), {})

    def only(self, these: NDArray[np.bool_] | Indices) -> Self:
        """Return those of a mask or at indices."""
        return type(self)(self.rows[these], self.starts[these], self.ends[these], self.entities[these])

    def shifted(self, by: int) -> Self:
        """Return the mentions with captions numbered from ``by``."""
        return replace(self, rows=self.rows + by)

    def and_those(self, others: Self) -> Self:
        """Return these and others, of other captions, in order."""
        if not len(others.rows):
            return self
        both = self.joined([self, others])
        return both.only(np.argsort(both.rows, kind="stable"))


def matches_of(mentions: Mentions, names: Sequence[str], rows: int) -> Matches:
    """Build the columns.

    Args:
        mentions: of captions 0 to ``rows`` - 1.
        names: of the entities, by id.
    """
    table = pa.array(names, pa.string())
    first = _first_mentions(mentions, len(names))
    entities = table.take(pa.array(mentions.entities[first]))
    spans = pa.StructArray.from_arrays(
        [
            pa.array(mentions.starts.astype(np.int32)),
            pa.array(mentions.ends.astype(np.int32)),
            table.take(pa.array(mentions.entities)),
        ],
        fields=list(CAPTIONS.field("spans").type.value_type),
    )
    return Matches(
        _lists("entities", mentions.rows[first], entities, rows), _lists("spans", mentions.rows, spans, rows)
    )


def _first_mentions(mentions: Mentions, names: int) -> Indices:
    """Return the indices of the mentions whose caption has not named the entity before."""
    keys = mentions.rows * max(names, 1) + mentions.entities
    order = np.argsort(keys, kind="stable")
    new = np.ones(len(keys), bool)
    new[1:] = np.diff(keys[order]) != 0
    return np.sort(order[new])


def _lists(column: str, rows: Indices, values: pa.Array, length: int) -> pa.ListArray:
    offsets = np.zeros(length + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=length), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=CAPTIONS.field(column).type)
