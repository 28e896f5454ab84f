"""Find entities in captions as the released CC4M filter does: NLTK's tokens, compared letter by letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import nltk
import numpy as np
import pyarrow as pa
from nltk.tokenize import word_tokenize
from numpy.typing import NDArray

from ..schemas.errors import ConfigError
from ..schemas.vocabulary import load_vocabulary
from .caption_mentions import Matches, Mentions, matches_of
from .caption_words import Rows, Words, WordTable, row_slices
from .entities import BACKGROUND_NAME
from .matching import Match, Span
from .released_tokens import TABLE, TOKEN, UNSURE, Neighbours

RELEASED_NAMES: Final = "cc4m_released"
_PUNKT: Final = "tokenizers/punkt_tab/english/"
_SHIRT, _T_SHIRT = "shirt", "T-shirt"
_NO_NAME: Final = -1
# What stands in the text where a token is ``, '' or ".
_QUOTES: Final = ("``", "''", '"')


def released_matcher() -> ReleasedMatcher:
    """Return what finds the 73 classes of the released CC4M filter under their 100 names.

    Raises:
        ConfigError: NLTK finds no Punkt model for English on its search path.
    """
    try:
        nltk.data.find(_PUNKT)
    except (LookupError, OSError, ValueError) as err:
        raise ConfigError(
            "NLTK data: punkt_tab not found, which the released filter's tokeniser needs; "
            "get it by python -m nltk.downloader punkt_tab"
        ) from err
    return ReleasedMatcher()


def released_names() -> dict[str, str]:
    """Return the class of each of the released filter's 100 names."""
    classes = [c for c in load_vocabulary(RELEASED_NAMES).classes if c.name != BACKGROUND_NAME]
    return {name: c.name for c in classes for name in (c.name, *c.synonyms)}


def tokenised_match(caption: str, names: Mapping[str, str]) -> Match:
    """Return what the tokens of one caption name, by NLTK's ``word_tokenize`` itself.

    A token lies where the text goes on after the one before it: blanks are all that NLTK drops, and quotation
    marks all that it changes. A caption that NLTK gives up on, since one of its regular expressions takes
    longer than NLTK's own limit, names nothing.
    """
    spans = []
    end = 0
    try:
        tokens = word_tokenize(caption)
    except TimeoutError:
        return Match()
    for token in tokens:
        start = end
        while caption[start].isspace():
            start += 1
        end = start + _length(caption, start, token)
        if token in names:
            spans.append(Span(start, end, names[token]))
    return Match(tuple(dict.fromkeys(span.entity for span in spans)), tuple(spans))


def _length(caption: str, start: int, token: str) -> int:
    if token in _QUOTES and not caption.startswith(token, start):
        return 1 if caption[start] == '"' else 2
    return len(token)


class ReleasedMatcher:
    """Finds in every caption what :func:`tokenised_match` finds in it, without tokenising most of them.

    A caption can only name a class at a run of letters and digits that is a name. Runs are found as
    ``ColumnMatcher`` finds words; ``released_tokens`` says from the characters beside a run whether it is a
    token. Captions where it cannot tell, and those that hold a name and a byte above 127, are tokenised: 20
    of the 40,847 in COCO's and CC3M's validation sets.
    """

    def __init__(self) -> None:
        self._classes = released_names()
        self._names = list(dict.fromkeys(self._classes.values()))
        self._ids = {name: i for i, name in enumerate(self._names)}
        # "T-shirt" is two runs, found by the second; before "n't" the letter n is no part of a token.
        runs = [(name, i) for name, i in self._name_ids() if name != _T_SHIRT]
        runs += [(name + n, _NO_NAME) for name, _ in runs for n in "nN"]
        self._table = WordTable([run.encode() for run, _ in runs], range(len(runs)))
        self._entities = np.array([entity for _, entity in runs])
        self._shirts = np.array([run.startswith(_SHIRT) for run, _ in runs])

    def __call__(self, captions: pa.StringArray) -> Matches:
        """Return what each caption names; a null names nothing.

        Args:
            captions: string column, or one chunk of it; nulls and slices of a larger array are fine.
        """
        captions = captions.cast(pa.string())
        parts = [self._slice(rows, captions) for rows in row_slices(captions)]
        return matches_of(Mentions.joined(parts), self._names, len(captions))

    def _name_ids(self) -> list[tuple[str, int]]:
        return [(name, self._ids[of]) for name, of in self._classes.items()]

    def _slice(self, rows: Rows, captions: pa.StringArray) -> Mentions:
        found, verdict = self._judged(rows)
        odd = rows.not_ascii()
        column = captions.slice(rows.first, len(odd))
        asked = np.zeros(len(odd), bool)
        asked[found.rows[(verdict == UNSURE) | odd[found.rows]]] = True
        null = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
        sure = (verdict == TOKEN) & (found.entities != _NO_NAME) & ~(asked | null)[found.rows]
        texts = ((int(row), column[int(row)].as_py()) for row in np.flatnonzero(asked & ~null))
        others = Mentions.of(((row, tokenised_match(text, self._classes)) for row, text in texts), self._ids)
        return found.only(sure).and_those(others).shifted(rows.first)

    def _judged(self, rows: Rows) -> tuple[Mentions, NDArray[np.int64]]:
        """Return all runs that may be tokens, their rows counted within the slice, and whether they are."""
        words = Words.split(rows, TABLE)
        which, ids = self._table.find(words)
        starts, ends = words.starts[which], words.ends[which]
        row = rows.of(starts)
        begins, stops = rows.offsets[row], rows.offsets[row + 1]
        beside = Neighbours(words, begins, stops)
        starts = starts - 2 * (self._shirts[ids] & beside.follow_t_hyphen(starts))
        found = Mentions(row, starts - begins, ends - begins, self._entities[ids])
        return found, beside.verdict(starts, ends)
