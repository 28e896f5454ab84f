"""The nouns of a caption, and which of them name things that can be seen (NLTK's tagger and WordNet)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

from nltk.corpus import wordnet
from nltk.stem import WordNetLemmatizer
from nltk.tag.perceptron import PerceptronTagger

from ..schemas.errors import ConfigError
from ..schemas.vocabulary import load_vocabulary
from .entities import BACKGROUND_NAME, EntityReason
from .entity_words import NO_REGION, PEOPLE, PERSONS, PLURAL_ONLY, SAME, THINGS
from .nltk_data import HOW_TO_GET, missing_data, use_folder

# Words as the tagger's training text (Penn Treebank) has them, but hyphenated compounds stay whole.
_TOKEN: Final = re.compile(r"[^\W_]+(?:-[^\W_]+)*|['\u2019]\w+|[^\w\s]")
_LETTERS: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")
_VISUAL: Final = frozenset(
    f"noun.{kind}" for kind in ("animal", "artifact", "food", "object", "person", "plant")
)
_PERSON: Final = "noun.person"
_NO_PERSON: Final = (_VISUAL | {"noun.substance"}) - {_PERSON}
_VISUAL_TOPS: Final = frozenset(("animal", "artifact", "food", "object", "person", "plant"))
_CACHE: Final = 1 << 17  # distinct words


class Nouns:
    """Reads captions; one per process, since it loads the tagger (5 MB) and WordNet (2 seconds).

    Args:
        folder: NLTK data to use before the search path.

    Raises:
        ConfigError: the data is not there, or damaged.
    """

    def __init__(self, folder: str | None = None) -> None:
        use_folder(folder)
        reason = missing_data()
        if reason is not None:
            raise ConfigError(f"NLTK data: {reason}; get it by {HOW_TO_GET}")
        try:
            self._tagger = PerceptronTagger()
            wordnet.ensure_loaded()
        except (LookupError, OSError, ValueError, TypeError) as err:
            raise ConfigError(f"NLTK data is damaged: {err}; get it anew by {HOW_TO_GET}") from err
        self._lemmatizer = WordNetLemmatizer()
        self._same = _same_words()
        self.group = lru_cache(_CACHE)(self._group)
        self._lemma = lru_cache(_CACHE)(self._find_lemma)

    def __call__(self, caption: str) -> dict[str, str]:
        """Return lemma -> group of the common nouns in a caption (tags NN and NNS).

        The caption is read in lower case: titles In This Style would all be proper names to the tagger.
        """
        tokens = _TOKEN.findall(unicodedata.normalize("NFKC", caption).lower())
        lemmas = (
            self._lemma(token, tag)
            for token, tag in self._tagger.tag(tokens)
            if tag in ("NN", "NNS") and _LETTERS.fullmatch(token) and len(token) > 1
        )
        return {lemma: self.group(lemma) for lemma in lemmas}

    def judge(self, group: str) -> EntityReason:
        """Say whether a group is visual (KEPT).

        It is if it is listed as such, or if its WordNet senses are mostly animals, artefacts, food, natural
        objects, people or plants by their lexicographer files. Senses weigh 1/rank, since WordNet orders them
        by frequency and the first alone misleads ("table": a set of data).
        """
        if group in NO_REGION:
            return EntityReason.LISTED
        if group == PEOPLE or group in THINGS or group in self._same.values():
            return EntityReason.KEPT
        senses = wordnet.synsets(group, wordnet.NOUN)
        if not senses:
            return EntityReason.NO_NOUN
        weights = [1.0 / rank for rank in range(1, len(senses) + 1)]
        visual = sum(w for w, sense in zip(weights, senses, strict=True) if _is_visual(sense))
        return EntityReason.KEPT if visual > sum(weights) / 2 else EntityReason.ABSTRACT

    def _group(self, lemma: str) -> str:
        """Return the name under which a lemma is counted: people, a listed synonym's, or its own.

        A person is a word whose first sense and at least half of whose senses are persons, and that means
        no other visible thing ("tiger", "hanger") and is no adjective or adverb ("native", "forward").
        """
        if lemma in NO_REGION or lemma in THINGS:
            return lemma
        if lemma in self._same:
            return self._same[lemma]
        if lemma in PERSONS:
            return PEOPLE
        return PEOPLE if _is_person(lemma) else lemma

    def _find_lemma(self, token: str, tag: str) -> str:
        if token in PLURAL_ONLY:
            return token
        if tag == "NNS":  # WordNet lists some plurals as words of their own ("cows": cattle)
            return str(self._lemmatizer.lemmatize(token, wordnet.NOUN))
        return str(wordnet.morphy(token, wordnet.NOUN) or token)


def _is_visual(sense: Any) -> bool:
    return sense.lexname() in _VISUAL or (
        sense.lexname() == "noun.Tops" and sense.name().split(".")[0] in _VISUAL_TOPS
    )


def _is_person(lemma: str) -> bool:
    kinds = [sense.lexname() for sense in wordnet.synsets(lemma, wordnet.NOUN)]
    if kinds[:1] != [_PERSON] or 2 * kinds.count(_PERSON) < len(kinds) or not _NO_PERSON.isdisjoint(kinds):
        return False
    return not (wordnet.synsets(lemma, wordnet.ADJ) or wordnet.synsets(lemma, wordnet.ADV))


def _same_words() -> dict[str, str]:
    """Return word -> class for the listed synonyms and the classes themselves."""
    classes = {c.name: c.synonyms for c in load_vocabulary("cc4m").classes if c.name != BACKGROUND_NAME}
    merged = {name: (*classes.get(name, ()), *SAME.get(name, ())) for name in {**classes, **SAME}}
    return {word: name for name, words in merged.items() for word in (name, *words)}
