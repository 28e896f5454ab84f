"""What WordNet says of a noun: whether it can be seen, is a person, is a kind of another."""

from __future__ import annotations

from typing import Any, Final

from nltk.corpus import wordnet

_VISUAL: Final = frozenset(
    f"noun.{kind}" for kind in ("animal", "artifact", "food", "object", "person", "plant")
)
_PERSON: Final = "noun.person"
_PLACE: Final = "noun.location"
_NO_PERSON: Final = (_VISUAL | {"noun.substance"}) - {_PERSON}
_VISUAL_TOPS: Final = frozenset(("animal", "artifact", "food", "object", "person", "plant"))


def senses(lemma: str) -> list[Any]:
    """Return the synsets of a noun, its words parted by blanks, without those of names ("New York")."""
    found = wordnet.synsets(lemma.replace(" ", "_"), wordnet.NOUN)
    return [sense for sense in found if not sense.instance_hypernyms()]


def mostly_visual(found: list[Any], places: bool = False) -> bool:
    """Whether the senses are mostly animals, artefacts, food, natural objects, people, plants (or places).

    Lexicographer files tell. Senses weigh 1/rank, since WordNet orders them by frequency and the first alone
    misleads ("table": a set of data).
    """
    weights = [1.0 / rank for rank in range(1, len(found) + 1)]
    visual = sum(w for w, sense in zip(weights, found, strict=True) if _is_visual(sense, places))
    return visual > sum(weights) / 2


def is_person(lemma: str) -> bool:
    """Whether a noun's first sense and at least half of its senses are persons, and it means nothing else.

    Else: another visible thing ("tiger", "hanger"), an adjective or an adverb ("native", "forward").
    """
    kinds = [sense.lexname() for sense in senses(lemma)]
    if kinds[:1] != [_PERSON] or 2 * kinds.count(_PERSON) < len(kinds) or not _NO_PERSON.isdisjoint(kinds):
        return False
    form = lemma.replace(" ", "_")
    return not (wordnet.synsets(form, wordnet.ADJ) or wordnet.synsets(form, wordnet.ADV))


def first_a_person(lemma: str) -> bool:
    """Whether a noun means a person first ("fighter"), whatever else it means."""
    return any(sense.lexname() == _PERSON for sense in senses(lemma)[:1])


def is_kind_of(lemma: str, heads: tuple[str, ...], only_visual: bool) -> bool:
    """Whether a sense of ``lemma`` lies below a sense of one of ``heads``, or below a visual one of them.

    A sense that both share does not count: a frankfurter is a "hot dog" and a "dog", and no kind of dog.
    """
    above = {
        sense for head in heads for sense in senses(head) if not only_visual or _is_visual(sense, places=True)
    }
    return any(
        not above.isdisjoint(sense.closure(lambda s: s.hypernyms() + s.instance_hypernyms()))
        for sense in senses(lemma)
    )


def _is_visual(sense: Any, places: bool) -> bool:
    kind = sense.lexname()
    if kind == "noun.Tops":
        return sense.name().split(".")[0] in _VISUAL_TOPS
    return kind in _VISUAL or (places and kind == _PLACE)
