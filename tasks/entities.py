"""Entity sets: which nouns of a corpus become classes, under which names, and why the others do not."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from ..schemas.errors import CatalogError
from ..schemas.vocabulary import Vocabulary

BACKGROUND_NAME = "background"
DERIVED = "derived"


class EntityReason(StrEnum):
    """Why a candidate belongs to an entity set or not."""

    KEPT = "kept"
    NAMED = "named"  # stands in a named entity set, which is not selected from
    LISTED = "listed_no_region"  # in entity_words.NO_REGION
    ABSTRACT = "abstract"  # most of its WordNet senses are no things
    NO_NOUN = "not_in_wordnet"
    RARE = "below_min_count"
    BEYOND = "beyond_top_k"


@dataclass(frozen=True)
class Entity:
    """One candidate.

    Args:
        name: the class under which its masks are stored.
        synonyms: other words for it, singular, in no need of their plurals.
        count: captions that name it.
        rank: from 1, by count among all candidates.
        reason: an :class:`EntityReason`.
    """

    name: str
    synonyms: tuple[str, ...]
    count: int
    rank: int
    keep: bool
    reason: str


@dataclass(frozen=True)
class EntitySet:
    """All candidates in order of rank; ``kept`` are the members."""

    name: str
    entities: tuple[Entity, ...]

    @cached_property
    def kept(self) -> tuple[Entity, ...]:
        return tuple(entity for entity in self.entities if entity.keep)

    @cached_property
    def hash(self) -> str:
        """16 hex digits over all that decides what a caption names; counts and order do not matter.

        These are the names and synonyms of the members, and those names of several words among the others.
        """
        members = sorted([entity.name, *sorted(entity.synonyms)] for entity in self.kept)
        others = (name for e in self.entities if not e.keep for name in (e.name, *e.synonyms))
        blockers = sorted({name for name in others if not name.isalnum()})
        body = [members, blockers] if blockers else members
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16]

    @classmethod
    def of_vocabulary(cls, vocabulary: Vocabulary) -> Self:
        """Make a set of a vocabulary's classes without the background; counts are 0 until counted."""
        classes = [c for c in vocabulary.classes if c.name != BACKGROUND_NAME]
        return cls(
            vocabulary.name,
            tuple(
                Entity(c.name, c.synonyms, 0, i, True, EntityReason.NAMED) for i, c in enumerate(classes, 1)
            ),
        )

    def counted(self, counts: Mapping[str, int]) -> Self:
        """Return the set with other counts (0 where none is given), ranked anew."""
        entities = sorted(self.entities, key=lambda entity: -counts.get(entity.name, 0))
        return replace(
            self,
            entities=tuple(
                replace(entity, count=counts.get(entity.name, 0), rank=rank)
                for rank, entity in enumerate(entities, 1)
            ),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table ``entities``."""
        return [
            {
                "entity_set": self.hash,
                "entity": entity.name,
                "count": entity.count,
                "rank": entity.rank,
                "keep": entity.keep,
                "reason": entity.reason,
                "synonyms": list(entity.synonyms),
            }
            for entity in self.entities
        ]

    @classmethod
    def of_rows(cls, name: str, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Make the set that :meth:`rows` was called on.

        Raises:
            CatalogError: the rows are not those of one whole set.
        """
        rows = sorted(rows, key=lambda row: row["rank"])
        entities = cls(
            name,
            tuple(
                Entity(r["entity"], tuple(r["synonyms"]), r["count"], r["rank"], r["keep"], r["reason"])
                for r in rows
            ),
        )
        if {row["entity_set"] for row in rows} - {entities.hash}:
            raise CatalogError(f"the rows of entity set {name!r} do not belong together; start a new run")
        return entities


@dataclass
class NounCounts:
    """How many captions name each group of nouns, and which nouns a group was named by.

    Workers count shards, the driver adds them up with :meth:`add`.
    """

    captions: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    members: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, nouns: Mapping[str, str]) -> None:
        """Count one caption; ``nouns`` maps each noun in it to its group."""
        self.captions += 1
        self.groups.update(set(nouns.values()))
        for noun, group in nouns.items():
            if noun != group:
                self.members.setdefault(group, Counter())[noun] += 1

    def add(self, other: NounCounts) -> None:
        self.captions += other.captions
        self.groups.update(other.groups)
        for group, nouns in other.members.items():
            self.members.setdefault(group, Counter()).update(nouns)

    def pruned(self, known: Callable[[str], bool], at_least: int = 2) -> NounCounts:
        """Return the counts without groups that fewer than ``at_least`` captions name and nobody knows.

        Web text has new misspellings in every shard; what remains is bounded by what ``known`` knows
        (WordNet: 100,000 nouns) and by what is repeated. A group that is not known is never kept, so the set
        and its synonyms stay as they are; only the counts of such candidates become lower bounds.

        Args:
            known: whether a group is listed or a noun of WordNet.
        """
        groups = {name: n for name, n in self.groups.items() if n >= at_least or known(name)}
        members = {name: Counter(nouns) for name, nouns in self.members.items() if name in groups}
        return NounCounts(self.captions, Counter(groups), members)


def select_entities(
    counts: NounCounts, judge: Callable[[str], EntityReason], top_k: int, min_count: int
) -> EntitySet:
    """Keep the ``top_k`` most frequent groups that ``judge`` finds visual and ``min_count`` captions name.

    This is the CC4M rule ("only maintains the frequently appeared entities and exclude the abstract nouns",
    OVSegmentor, Sec. 3.1.2 and 4.1: 100 entities). Ties go by name; the nouns of a group that at least
    ``min_count`` captions name are its synonyms.

    Args:
        judge: KEPT for the name of a visual group, else the reason against it.
    """
    entities = []
    kept = 0
    for rank, (name, count) in enumerate(sorted(counts.groups.items(), key=lambda g: (-g[1], g[0])), 1):
        reason = judge(name)
        if reason is EntityReason.KEPT and count < min_count:
            reason = EntityReason.RARE
        elif reason is EntityReason.KEPT and kept == top_k:
            reason = EntityReason.BEYOND
        kept += reason is EntityReason.KEPT
        nouns = counts.members.get(name, Counter())
        synonyms = tuple(sorted(noun for noun, number in nouns.items() if number >= min_count))
        entities.append(Entity(name, synonyms, count, rank, reason is EntityReason.KEPT, reason))
    return EntitySet(DERIVED, tuple(entities))
