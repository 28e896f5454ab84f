"""Find the entities that a caption names, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from .entities import EntitySet
from .surface_forms import WORD, Key, fold, surface_forms

_HYPHENS: Final = frozenset("-\u2010\u2011")
_ASCII_WORD: Final = re.compile("[a-z0-9]+")


class Span(NamedTuple):
    """Characters ``start`` to ``end`` (half-open, in code points of the caption) name ``entity``."""

    start: int
    end: int
    entity: str


class Match(NamedTuple):
    """What a caption names: each entity once in order of first mention, and every mention in order."""

    entities: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class _Words:
    """The words of a caption: their folded forms and, at the same indices, where they lie."""

    caption: str
    keys: list[str]
    places: list[tuple[int, int]]

    def joined(self, index: int) -> bool:
        """Whether only blanks or one hyphen part word ``index`` from the one before it."""
        gap = self.caption[self.places[index - 1][1] : self.places[index][0]]
        return gap in _HYPHENS or gap.isspace()

    def modifies(self, index: int) -> bool:
        """Whether a hyphen ties word ``index`` to a next one, whose modifier it is."""
        if index + 1 == len(self.keys):
            return False
        return self.caption[self.places[index][1] : self.places[index + 1][0]] in _HYPHENS


_NOTHING: Final = Match()


class Matcher:
    """Matches whole words, insensitive to case, accents, hyphens and number; the sense is not looked at.

    Words are looked up in a dictionary, so the time per caption does not grow with the set. The longest name
    wins where several begin at a word. Of a hyphenated compound only the whole or its last part counts:
    "fire-truck" names a truck, "car-free" names no car. A possessive "'s" stays outside the span.

    Candidates of several words that were not kept block what lies inside them: where "hot dog" is one, "a hot
    dog" names no dog.

    Args:
        entities: its kept entities are looked for, under their names, synonyms and the plurals of both.
    """

    def __init__(self, entities: EntitySet) -> None:
        self._by_first: dict[str, list[tuple[Key, str | None]]] = {}
        forms = entity_forms(entities)
        for form in sorted(forms, key=len, reverse=True):
            self._by_first.setdefault(form[0], []).append((form[1:], forms[form]))

    def __call__(self, caption: str) -> Match:
        """Return what ``caption`` names; any string is allowed."""
        text, pattern = (caption.lower(), _ASCII_WORD) if caption.isascii() else (caption, WORD)
        keys = pattern.findall(text)
        if pattern is WORD:
            keys = [fold(key) for key in keys]
        starts = [index for index, key in enumerate(keys) if key in self._by_first]
        if not starts:
            return _NOTHING
        words = _Words(caption, keys, [word.span() for word in pattern.finditer(text)])
        spans: list[Span] = []
        following = 0
        for index in starts:
            length, entity = self._longest(words, index) if index >= following else (0, None)
            if length:
                following = index + length
            if entity is not None:
                spans.append(Span(words.places[index][0], words.places[following - 1][1], entity))
        return Match(tuple(dict.fromkeys(span.entity for span in spans)), tuple(spans))

    def _longest(self, words: _Words, index: int) -> tuple[int, str | None]:
        """Return the longest name at word ``index``: of how many words (0 where none is), of which entity."""
        for rest, entity in self._by_first[words.keys[index]]:
            following = index + 1 + len(rest)
            if (
                tuple(words.keys[index + 1 : following]) == rest
                and all(words.joined(i) for i in range(index + 1, following))
                and not words.modifies(following - 1)
            ):
                return 1 + len(rest), entity
        return 0, None


def entity_forms(entities: EntitySet) -> Mapping[Key, str | None]:
    """Return what to look for and which entity it names; None where it only blocks the names inside it.

    Where a form could stand for several entities the first takes it, in the order of names, synonyms and the
    plurals of both; a form that names an entity does not block.
    """
    taken: dict[Key, str | None] = {}
    for form, entity in (*_naming(entities), *_blocking(entities)):
        taken.setdefault(form, entity)
    return taken


def _naming(entities: EntitySet) -> Iterator[tuple[Key, str]]:
    names = [(entity.name, entity.name) for entity in entities.kept]
    synonyms = [(synonym, entity.name) for entity in entities.kept for synonym in entity.synonyms]
    forms = [(surface_forms(written), entity) for written, entity in (*names, *synonyms)]
    for inflected in (False, True):
        for keys, entity in forms:
            for key in keys[1:] if inflected else keys[:1]:
                yield key, entity


def _blocking(entities: EntitySet) -> Iterator[tuple[Key, None]]:
    for entity in entities.entities:
        if not entity.keep:
            for written in (entity.name, *entity.synonyms):
                yield from ((form, None) for form in surface_forms(written) if len(form) > 1)
