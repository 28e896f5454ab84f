"""Things with names of two or three words ("fire hydrant", "hot dog"), as WordNet lists them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from nltk.corpus import wordnet

from .entities import EntityReason
from .entity_words import PEOPLE, PLAIN
from .wordnet_senses import first_a_person, is_kind_of, mostly_visual, senses

LONGEST: Final = 3  # words
NOUN_TAGS: Final = ("NN", "NNS")
OPEN_TAGS: Final = "NJV"  # nouns, adjectives and verbs: "the street" and "piece of cake" are read literally
_CACHE: Final = 1 << 18


class Mention(NamedTuple):
    """A noun that a caption names: ``lemma`` in words parted by blanks, counted under ``group``."""

    lemma: str
    group: str


class Compounds:
    """Finds the compound that adjacent words make, and what it is counted as.

    A kind of what its head names is counted under the head's group ("police car": car, "tennis ball": ball,
    "train station": station); people are people. Any other visible thing or place is a noun of its own and
    names its head no more than a hot dog is a dog, unless its first word merely describes ("black cat").
    What cannot be seen ("piece of cake": an act) is no compound. The words may also make one that WordNet
    writes in one ("surf board"), if the first is a noun ("green house") and the whole no other thing than
    its visible head ("leather jacket", a fish).

    Args:
        lemma: (word, plural) -> lemma of a single noun.
        group: lemma -> its group.
        judge: group -> KEPT if it is visible, else why not.

    Attributes:
        firsts: what compounds may begin with.
        triples: (first, second) words of those of three.
    """

    def __init__(
        self,
        lemma: Callable[[str, bool], str],
        group: Callable[[str], str],
        judge: Callable[[str], EntityReason],
    ) -> None:
        self._lemma, self._group, self._judge = lemma, group, judge
        self._names = frozenset(wordnet.all_lemma_names(wordnet.NOUN))
        self.firsts = frozenset(n.split("_")[0] for n in self._names if 0 < n.count("_") < LONGEST)
        parts = [n.split("_") for n in self._names if n.count("_") == LONGEST - 1]
        self.triples = frozenset((first, second) for first, second, _ in parts)
        self.find = lru_cache(_CACHE)(self._find)

    def all_of(self, words: Sequence[str], tags: Sequence[str]) -> list[tuple[int, int, Mention]]:
        """Return (start, end, mention) of the compounds of a caption from left to right, longest first."""
        found = []
        start = 0
        while start < len(words):
            for end in range(min(start + LONGEST, len(words)), start + 1, -1):
                mention = self._between(words[start:end], tags[start:end])
                if mention is not None:
                    found.append((start, end, mention))
                    start = end - 1
                    break
            start += 1
        return found

    def _between(self, words: Sequence[str], tags: Sequence[str]) -> Mention | None:
        if tags[-1] not in NOUN_TAGS or any(tag[0] not in OPEN_TAGS for tag in tags):
            return None
        noun_first = tags[0] == "NN"
        if words[0] not in self.firsts and not noun_first:
            return None
        return self.find(tuple(words), tags[-1] == "NNS", noun_first)

    def _find(self, words: tuple[str, ...], plural: bool, noun_first: bool) -> Mention | None:
        """Return the compound that two or three words make, None if they make none.

        Args:
            words: in lower case; the last is a noun.
            plural: whether the last is tagged as a plural.
            noun_first: whether the first is tagged as a noun.
        """
        for last in dict.fromkeys((words[-1], self._lemma(words[-1], plural))):
            form = (*words[:-1], last)
            if "_".join(form) in self._names:
                return self._listed(" ".join(form), self._lemma(last, False))
            if noun_first and len(form) == 2 and "".join(form) in self._names:
                return self._solid(form, self._lemma(last, False))
        return None

    def _listed(self, name: str, head: str) -> Mention | None:
        """Return what a compound that WordNet parts by blanks is counted as."""
        group, above = self._group(name), self._group(head)
        plain = name.split(" ", 1)[0] in PLAIN
        if group == PEOPLE and above != PEOPLE and (plain or not self._person(head)):
            return None  # "big fish", "early bird": whoever writes captions means the animal
        if group != name:
            return Mention(name, group)
        # Rock music is no rock; but a word that is listed in spite of WordNet may be a thing in any sense.
        if is_kind_of(name, (head, above), only_visual=mostly_visual(senses(above))):
            return Mention(name, above) if self._region(above) else None
        return None if plain or not self._region(name) else Mention(name, name)

    def _solid(self, form: tuple[str, ...], head: str) -> Mention | None:
        """Return what a compound that WordNet writes as one word is counted as."""
        solid = "".join(form)
        group = self._group(solid)
        literal = group == solid or (group == PEOPLE and not self._person(head))  # blue jacket: a sailor
        if literal and not is_kind_of(solid, (head,), only_visual=False):
            other = self._judge(self._group(head)) is EntityReason.KEPT
            if other or not self._region(solid):
                return None
        return Mention(" ".join(form), group)

    def _person(self, head: str) -> bool:
        return self._group(head) == PEOPLE or first_a_person(head)

    def _region(self, name: str) -> bool:
        """Whether a name means something visible or a place, or is listed as one without a region."""
        if name == PEOPLE or self._judge(name) in (EntityReason.KEPT, EntityReason.LISTED):
            return True
        return mostly_visual(senses(name), places=True)
