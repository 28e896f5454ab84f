"""How sure the membership of an entity set is that was counted on a sample of the captions."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from .entities import Entity, EntityReason, EntitySet

Z: Final = 1.959964  # standard normal quantile of a 95 % interval
_SHOWN: Final = 10  # names in a message


class Interval(NamedTuple):
    """Bounds of a share, in [0, 1]."""

    low: float
    high: float

    def overlaps(self, other: Interval) -> bool:
        return self.low <= other.high and other.low <= self.high


class Uncertain(NamedTuple):
    """Entities whose membership another sample may change, in order of rank."""

    kept: tuple[Entity, ...]
    left_out: tuple[Entity, ...]


def wilson(count: int, total: int, z: float = Z) -> Interval:
    """Return the Wilson score interval of a share (Wilson 1927), of which ``count`` of ``total`` were seen.

    Captions count as drawn independently. Those of one image are drawn together, which makes the interval too
    narrow, and the corpus is finite, which makes it too wide.

    Raises:
        ValueError: not 0 <= count <= total, or nothing was drawn.
    """
    if total < 1 or not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share")
    share, weight = count / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def intervals(entities: EntitySet, captions: int) -> dict[str, Interval]:
    """Return name -> interval of the share of captions, of each visual candidate that is frequent enough."""
    return {
        entity.name: wilson(entity.count, captions)
        for entity in entities.entities
        if entity.reason in (EntityReason.KEPT, EntityReason.BEYOND)
    }


def uncertain(entities: EntitySet, captions: int, top_k: int) -> Uncertain:
    """Return the candidates whose interval overlaps that of the last member, and which might change places.

    Nothing is uncertain where no visual candidate was left out by its rank: all are members.

    Args:
        entities: as :func:`select_entities` made it.
        captions: how many were counted.
        top_k: how many it was to keep.
    """
    ranked = entities.kept
    beyond = [e for e in entities.entities if e.reason == EntityReason.BEYOND]
    if not beyond or len(ranked) < top_k:
        return Uncertain((), ())
    shares = intervals(entities, captions)
    border = shares[ranked[-1].name]
    left_out = tuple(e for e in beyond if shares[e.name].overlaps(border))
    first = shares[beyond[0].name]
    kept = tuple(e for e in ranked if shares[e.name].overlaps(first)) if left_out else ()
    return Uncertain(kept, left_out)


def membership_error(entities: EntitySet, captions: int, top_k: int) -> str:
    """Say in one line how sure a set is that was counted on ``captions`` sampled captions."""
    if not captions:
        return "entities were counted on a sample of 0 captions"
    said = f"entities were counted on a sample of {captions:,} captions"
    found = uncertain(entities, captions, top_k)
    if not found.left_out:
        return f"{said}; by the 95 % intervals of their shares no other candidate belongs to the {top_k}"
    names = [entity.name for entity in found.left_out]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"{said}; by the 95 % intervals of their shares {len(found.kept)} of the {len(entities.kept)} "
        f"members might give way to {', '.join(names[:_SHOWN])}{more}"
    )
