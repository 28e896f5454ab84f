"""The nouns of captions, and which of them name things that can be seen (NLTK's tagger and WordNet)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Final

from nltk.corpus import wordnet
from nltk.stem import WordNetLemmatizer
from nltk.tag.perceptron import PerceptronTagger

from ..schemas.errors import ConfigError
from ..schemas.vocabulary import load_vocabulary
from .compounds import LONGEST, NOUN_TAGS, Compounds, Mention
from .entities import BACKGROUND_NAME, EntityReason, NounCounts
from .entity_words import NO_REGION, PEOPLE, PERSONS, PLURAL_ONLY, SAME, THINGS
from .nltk_data import HOW_TO_GET, missing_data, use_folder
from .noun_columns import NounColumns
from .noun_tokens import tokens_of
from .tagging import BatchTagger
from .wordnet_senses import is_person, mostly_visual, senses

_LETTERS: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")
_CACHE: Final = 1 << 17  # distinct words


class Nouns:
    """Reads captions; one per process, since it loads the tagger and WordNet (3 seconds).

    :meth:`count` is for many captions; calling the object with one is the plain way to the same nouns.

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
        self._same = _same_words()
        self.group = lru_cache(_CACHE)(self._group)
        self.judge = lru_cache(_CACHE)(self._judge)
        self._lemma = lru_cache(_CACHE)(self._find_lemma)
        self._lemmatizer = WordNetLemmatizer()
        try:
            tagger = BatchTagger.load()
            wordnet.ensure_loaded()
            self._compounds = Compounds(self._lemma, self.group, self.judge)
        except (LookupError, OSError, ValueError, TypeError) as err:
            raise ConfigError(f"NLTK data is damaged: {err}; get it anew by {HOW_TO_GET}") from err
        self._columns = NounColumns(tagger, self._mention, self._compounds)

    def count(self, captions: Iterable[str]) -> NounCounts:
        """Count the nouns of many captions; the counts are those of the single captions' nouns."""
        return self._columns.count(captions)

    def __call__(self, caption: str) -> dict[str, str]:
        """Return lemma -> group of the common nouns in a caption (tags NN and NNS).

        The caption is read in lower case: titles In This Style would all be proper names to the tagger. A
        compound ("fire hydrant") stands for its words.
        """
        tokens = tokens_of(caption)
        tags = [tag for _, tag in self._reference.tag(tokens)]
        mentions: list[Mention] = []
        compounded: set[int] = set()
        for start, end, mention in self._compounds.all_of(tokens, tags):
            mentions.append(mention)
            compounded.update(range(start, end))
        for index, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
            if tag in NOUN_TAGS and index not in compounded:
                single = self._mention(token, tag == "NNS")
                mentions += [] if single is None else [single]
        return dict(mentions)

    def is_known(self, group: str) -> bool:
        """Whether a group is listed or a noun of WordNet; no other is ever kept."""
        return self.judge(group) is not EntityReason.NO_NOUN

    @cached_property
    def _reference(self) -> PerceptronTagger:
        return PerceptronTagger()

    def _judge(self, group: str) -> EntityReason:
        """Say whether a group is visual (KEPT): listed as such, or mostly so by its senses in WordNet."""
        if group in NO_REGION:
            return EntityReason.LISTED
        if group == PEOPLE or group in THINGS or group in self._same.values():
            return EntityReason.KEPT
        found = senses(group)
        if not found:
            return EntityReason.NO_NOUN
        return EntityReason.KEPT if mostly_visual(found) else EntityReason.ABSTRACT

    def _group(self, lemma: str) -> str:
        """Return the name under which a lemma is counted: people, a listed synonym's, or its own."""
        if lemma in NO_REGION or lemma in THINGS:
            return lemma
        if lemma in self._same:
            return self._same[lemma]
        if lemma in PERSONS or is_person(lemma):
            return PEOPLE
        return _spaced(lemma)

    def _mention(self, token: str, plural: bool) -> Mention | None:
        """Return what a token that is tagged as a noun names, None if it is no word."""
        if len(token) == 1 or not _LETTERS.fullmatch(token):
            return None
        lemma = self._lemma(token, plural)
        group = self.group(lemma)
        if "-" in token and group == lemma:
            parts = tuple(token.split("-"))
            compound = self._compounds.find(parts, plural, True) if len(parts) <= LONGEST else None
            if compound is not None:
                return compound
        return Mention(lemma, group)

    def _find_lemma(self, token: str, plural: bool) -> str:
        if token in PLURAL_ONLY:
            return token
        if plural:  # WordNet lists some plurals as words of their own ("cows": cattle)
            return str(self._lemmatizer.lemmatize(token, wordnet.NOUN))
        return str(wordnet.morphy(token, wordnet.NOUN) or token)


def _spaced(lemma: str) -> str:
    """Return the spelling with blanks if WordNet has one for the same thing ("hotdog": "hot dog")."""
    if " " in lemma:
        return lemma
    solid = lemma.replace("-", "")
    names = (name for sense in senses(lemma) for name in sense.lemma_names() if "_" in name)
    return next((name.replace("_", " ") for name in names if name.replace("_", "") == solid), lemma)


def _same_words() -> dict[str, str]:
    """Return word -> class for the listed synonyms and the classes themselves."""
    classes = {c.name: c.synonyms for c in load_vocabulary("cc4m").classes if c.name != BACKGROUND_NAME}
    merged = {name: (*classes.get(name, ()), *SAME.get(name, ())) for name in {**classes, **SAME}}
    return {word: name for name, words in merged.items() for word in (name, *words)}
