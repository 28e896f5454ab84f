"""The nouns of many captions at once: tokens, tags, mentions and their counts as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compounds import NOUN_TAGS, OPEN_TAGS, Compounds, Mention
from .entities import NounCounts
from .noun_tokens import tokens_of_all
from .tagging import BatchTagger

_BATCH: Final = 1 << 12  # captions
_CACHED: Final = 1 << 20  # pairs of words, or mentions
_UNSEEN: Final = -2
_NONE: Final = -1

Ints = NDArray[np.int64]


class _Tokens(NamedTuple):
    """Columns of a batch, one value per token: word, whether plural, what its tag allows, and its caption."""

    words: Ints
    noun: NDArray[np.bool_]
    plural: NDArray[np.bool_]
    singular: NDArray[np.bool_]
    open: NDArray[np.bool_]
    caption: Ints


class NounColumns:
    """Counts nouns; each distinct word and pair of words is looked up once.

    Args:
        tagger: whose ids stand for the words.
        mention: (word, plural) -> what a noun names, or None if it is no word.
        compounds: finds what adjacent words make.
    """

    def __init__(
        self, tagger: BatchTagger, mention: Callable[[str, bool], Mention | None], compounds: Compounds
    ) -> None:
        self._tagger, self._mention, self._compounds = tagger, mention, compounds
        labels = tagger.labels
        self._singular, self._plural = (labels.index(tag) for tag in NOUN_TAGS)
        self._open = np.array([label[0] in OPEN_TAGS for label in labels])
        self._triple_firsts = frozenset(first for first, _ in compounds.triples)
        self._mentions = _Mentions()
        self._forget()

    def count(self, captions: Iterable[str]) -> NounCounts:
        """Count the captions that name each noun and each group."""
        if len(self._mentions.all) > _CACHED:
            self._mentions = _Mentions()
            self._forget()
        mentions, groups = np.zeros(0, np.int64), np.zeros(0, np.int64)
        total, rest = 0, iter(captions)
        while batch := list(islice(rest, _BATCH)):
            total += len(batch)
            caption, mention = self._mentions_of(self._tokens(batch))
            mentions = _added(mentions, mention)
            group = np.array(self._mentions.groups, np.int64)[mention]
            groups = _added(groups, _distinct(caption, group)[1])
        return self._mentions.counts(total, mentions, groups)

    def _forget(self) -> None:
        """Drop what is known by the ids of words."""
        self._generation = self._tagger.vocabulary.generation
        self._singles = np.full((2, 1 << 12), _UNSEEN, np.int64)
        self._begins = np.zeros(0, np.uint8)
        self._pairs: dict[int, int] = {}

    def _tokens(self, captions: list[str]) -> _Tokens:
        tokens = tokens_of_all(captions)
        ids = self._tagger.vocabulary.intern(tokens, len(tokens))
        if self._generation != self._tagger.vocabulary.generation:
            self._forget()
        inside = ids != ids[-1]  # the last token ends a caption
        lengths = np.diff(np.flatnonzero(~inside), prepend=-1) - 1
        words = ids[inside]
        tags = self._tagger.tag(words, lengths)
        plural, singular = tags == self._plural, tags == self._singular
        caption = np.repeat(np.arange(len(captions)), lengths)
        return _Tokens(words.astype(np.int64), plural | singular, plural, singular, self._open[tags], caption)

    def _mentions_of(self, tokens: _Tokens) -> tuple[Ints, Ints]:
        """Return (caption, mention), once each, in ascending order."""
        starts, ends, compounds = self._spans(tokens)
        single = tokens.noun.copy()
        for offset in range(int((ends - starts).max(initial=0))):
            places = starts + offset
            single[places[places < ends]] = False
        places = np.flatnonzero(single)
        names = self._single(tokens.words[places], tokens.plural[places])
        places, names = places[names >= 0], names[names >= 0]
        captions = np.concatenate((tokens.caption[places], tokens.caption[starts]))
        return _distinct(captions, np.concatenate((names, compounds)))

    def _single(self, words: Ints, plural: NDArray[np.bool_]) -> Ints:
        """Return the mention of each noun."""
        known = len(self._tagger.vocabulary.words)
        if known > self._singles.shape[1]:
            larger = np.full((2, 2 * known), _UNSEEN, np.int64)
            larger[:, : self._singles.shape[1]] = self._singles
            self._singles = larger
        row = plural.astype(np.int64)
        new = self._singles[row, words] == _UNSEEN
        spelled = self._tagger.vocabulary.words
        for number, word in set(zip(row[new].tolist(), words[new].tolist(), strict=True)):
            found = self._mention(spelled[word], bool(number))
            self._singles[number, word] = self._mentions.number(found)
        return self._singles[row, words]

    def _spans(self, tokens: _Tokens) -> tuple[Ints, Ints, Ints]:
        """Return (starts, ends, mentions) of the compounds; of overlapping ones the leftmost, longest."""
        begins = self._beginnings()[tokens.words]
        lasts = np.flatnonzero(tokens.noun[1:]) + 1
        fits = tokens.open[lasts - 1] & (tokens.caption[lasts - 1] == tokens.caption[lasts])
        lasts = lasts[fits]
        firsts = lasts - 1
        pairs = (begins[firsts] > 0) | tokens.singular[firsts]
        starts = lasts[lasts >= 2] - 2
        within = tokens.caption[starts] == tokens.caption[starts + 2]
        triples = (begins[starts] > 1) & tokens.open[starts] & within
        found = [*self._found_pairs(tokens, firsts[pairs]), *self._found_triples(tokens, starts[triples])]
        kept, following = [], 0
        for start, minus_length, mention in sorted(found):
            if start >= following:
                following = start - minus_length
                kept.append((start, following, mention))
        columns = np.array(kept, np.int64).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2]

    def _beginnings(self) -> NDArray[np.uint8]:
        """Return by word: 2 if a compound of three words begins with it, 1 if one of two does, else 0."""
        new = self._tagger.vocabulary.words[len(self._begins) :]
        if new:
            flags = [(word in self._compounds.firsts) + (word in self._triple_firsts) for word in new]
            self._begins = np.concatenate((self._begins, np.array(flags, np.uint8)))
        return self._begins

    def _found_pairs(self, tokens: _Tokens, firsts: Ints) -> list[tuple[int, int, int]]:
        """Return (start, -length, mention) of the pairs of words that make a compound."""
        if len(self._pairs) > _CACHED:
            self._pairs.clear()
        tags = 2 * tokens.plural[firsts + 1] + tokens.singular[firsts]
        codes = (tokens.words[firsts] << 32) | (tokens.words[firsts + 1] << 2) | tags
        distinct, inverse = np.unique(codes, return_inverse=True)
        cached = self._pairs
        names = [cached[code] if code in cached else self._pair(code) for code in distinct.tolist()]
        mentions = np.array(names, np.int64)[inverse]
        hits = mentions >= 0
        return [(s, -2, m) for s, m in zip(firsts[hits].tolist(), mentions[hits].tolist(), strict=True)]

    def _pair(self, code: int) -> int:
        spelled = self._tagger.vocabulary.words
        words = spelled[code >> 32], spelled[(code & 0xFFFFFFFF) >> 2]
        number = self._mentions.number(self._compounds.find(words, bool(code & 2), bool(code & 1)))
        self._pairs[code] = number
        return number

    def _found_triples(self, tokens: _Tokens, starts: Ints) -> list[tuple[int, int, int]]:
        """Return (start, -length, mention) of the three words that make a compound; few can."""
        spelled = self._tagger.vocabulary.words
        found = []
        for start, first, second in zip(
            starts.tolist(), tokens.words[starts].tolist(), tokens.words[starts + 1].tolist(), strict=True
        ):
            if (spelled[first], spelled[second]) in self._compounds.triples:
                words = spelled[first], spelled[second], spelled[tokens.words[start + 2]]
                mention = self._compounds.find(
                    words, bool(tokens.plural[start + 2]), bool(tokens.singular[start])
                )
                if mention is not None:
                    found.append((start, -3, self._mentions.number(mention)))
        return found


class _Mentions:
    """Numbers mentions and groups."""

    def __init__(self) -> None:
        self.all: dict[Mention, int] = {}
        self.groups: list[int] = []
        self._groups: dict[str, int] = {}

    def number(self, mention: Mention | None) -> int:
        if mention is None:
            return _NONE
        if mention not in self.all:
            self.all[mention] = len(self.all)
            self.groups.append(self._groups.setdefault(mention.group, len(self._groups)))
        return self.all[mention]

    def counts(self, captions: int, mentions: Ints, groups: Ints) -> NounCounts:
        """Return the counts by name of what was counted by number."""
        named = zip(self._groups, groups.tolist(), strict=False)
        result = NounCounts(captions, Counter({name: count for name, count in named if count}))
        for mention, count in zip(self.all, mentions.tolist(), strict=False):
            if count and mention.lemma != mention.group:
                result.members.setdefault(mention.group, Counter())[mention.lemma] = count
        return result


def _distinct(captions: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return each (caption, value) once."""
    codes = np.unique((captions << 32) | values)
    return codes >> 32, codes & 0xFFFFFFFF


def _added(counts: Ints, values: Ints) -> Ints:
    """Return the counts by value plus those of ``values``."""
    more = np.bincount(values, minlength=len(counts))
    more[: len(counts)] += counts
    return more
