r"""Which words of a caption are tokens of NLTK's ``word_tokenize``, told by the characters beside them.

``word_tokenize`` cuts a text into sentences (Punkt), inserts blanks into each by the regular expressions of
``nltk.tokenize.destructive.NLTKWordTokenizer``, and splits at blanks (NLTK 3.10 was read). A *run* is a
maximal sequence of ASCII letters and digits. The names looked for are runs of at least two letters;
"T-shirt" is two runs. In ASCII text a name is a token if and only if it is parted from both its neighbours:

1. Characters are neither dropped nor changed, but for blanks, and quotation marks: ``"`` and ``''`` become
   each other or two backticks. So a token that equals a name covers the name's own characters.
2. *Inside* a run blanks are inserted by the contractions cannot, gimme, gonna, gotta, lemme and wanna, whose
   parts are no names, and before n't ("dogn't" holds the token "dog"); nowhere else. These contractions, and
   d'ye, more'n, 'tis and 'twas, end where a word does: what is parted from them begins or ends with a
   character that is no letter or digit ("dog-cannot" holds "dog-"). So a name is a run, or one but for its n.
3. ``; @ # $ % & ? ! * ( ) [ ] { } < > "`` and backticks are parted from both neighbours, wherever sentences
   end.
4. A comma or colon is parted from both if no digit follows: ``([:,])([^\d])`` or ``([:,])$``. Matches do not
   overlap, so right after another one it may be passed over. Sentences end after ``. ? !`` (or after
   brackets and quotation marks that follow these), never after a comma, but for the end of the text.
5. One full stop is parted from the name before it at the end of a sentence. Where only blanks follow in the
   text that is one; elsewhere Punkt decides. From a name after it, it is never parted.
6. ``'s`` is parted from the name before it if a blank or the end of the text follows. Other
   apostrophes depend on more.
7. A single hyphen is never parted, nor is any other ASCII character; several hyphens or full stops may be.
8. The controls 28 to 31 are blanks to ``str.split``, but not to every engine of regular expressions.

Where this does not settle it the verdict is :data:`UNSURE`, and NLTK must be asked.
"""

from __future__ import annotations

import string
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .caption_words import LAST_CODE, Indices, Words

NO_TOKEN, TOKEN, UNSURE = range(3)

_TIED, _PARTED, _COMMA, _STOP, _HYPHEN, _APOSTROPHE, _BLANK, _OPEN = range(8)
_KINDS: Final = {
    ';@#$%&?!*()[]{}<>"`': _PARTED,
    " \t\n\v\f\r": _BLANK,
    ",:": _COMMA,
    ".": _STOP,
    "-": _HYPHEN,
    "'": _APOSTROPHE,
    "\x1c\x1d\x1e\x1f": _OPEN,
}


def _code(byte: int) -> int:
    char = chr(byte)
    if char in string.ascii_letters + string.digits:
        return byte
    return next((kind for chars, kind in _KINDS.items() if char in chars), _OPEN if byte > 127 else _TIED)


TABLE: Final = bytes(_code(byte) for byte in range(256))  # letters and digits stay, others become their kind
_DIGITS: Final = np.isin(np.arange(256), list(string.digits.encode()))
_LETTER_S: Final = np.isin(np.arange(256), list(b"sS"))
# By kind, what a neighbour makes of a name; UNSURE where more must be looked at.
_BESIDE: Final = np.array([NO_TOKEN, TOKEN, TOKEN, UNSURE, UNSURE, UNSURE, TOKEN, UNSURE])
_TRAILING: Final = 4  # blanks at the end of a caption that are looked through


class Neighbours:
    """What is beside names in captions.

    Args:
        words: of the captions, their bytes translated by :data:`TABLE`.
        begins, stops: (names,) where each name's caption begins and ends, bytes of the text.
    """

    def __init__(self, words: Words, begins: Indices, stops: Indices) -> None:
        self._text = words.text
        self._begins, self._stops = begins, stops

    def verdict(self, starts: Indices, ends: Indices) -> NDArray[np.int64]:
        """Return for each name, from byte ``starts`` to ``ends``, whether it is a token.

        A name that is tied to one neighbour is no token, whatever the other one is.
        """
        left, right = self._left(starts), self._right(ends)
        either = np.where((left == TOKEN) & (right == TOKEN), TOKEN, UNSURE)
        return np.where((left == NO_TOKEN) | (right == NO_TOKEN), NO_TOKEN, either)

    def follow_t_hyphen(self, starts: Indices) -> NDArray[np.bool_]:
        """Say which names that begin at ``starts`` stand right after "T-"."""
        return (self._kind(starts - 1) == _HYPHEN) & (self._byte(starts - 2) == ord("T"))

    def _left(self, starts: Indices) -> NDArray[np.int64]:
        kind, before = self._kind(starts - 1), self._kind(starts - 2)
        found = _BESIDE[kind]
        found[(kind == _COMMA) & (before == _COMMA)] = UNSURE
        found[(kind == _STOP) & (before != _STOP)] = NO_TOKEN
        found[(kind == _HYPHEN) & (before != _HYPHEN)] = NO_TOKEN
        return found

    def _right(self, ends: Indices) -> NDArray[np.int64]:
        kind, after = self._kind(ends), self._kind(ends + 1)
        found = _BESIDE[kind]
        found[(kind == _COMMA) & _DIGITS[self._byte(ends + 1)]] = NO_TOKEN
        found[(kind == _COMMA) & (after == _OPEN)] = UNSURE
        found[(kind == _HYPHEN) & (after != _HYPHEN)] = NO_TOKEN
        found[(kind == _STOP) & self._only_blanks(ends + 1)] = TOKEN
        possessive = (kind == _APOSTROPHE) & _LETTER_S[self._byte(ends + 1)]
        found[possessive & (self._kind(ends + 2) == _BLANK)] = TOKEN
        return found

    def _byte(self, places: Indices) -> NDArray[np.uint8]:
        """Return the translated bytes, a blank for those before and after the caption."""
        inside = (places >= self._begins) & (places < self._stops)
        return np.where(inside, self._text[np.where(inside, places, 0)], np.uint8(_BLANK))

    def _kind(self, places: Indices) -> NDArray[np.uint8]:
        byte = self._byte(places)
        return np.where(byte > LAST_CODE, np.uint8(_TIED), byte)

    def _only_blanks(self, places: Indices) -> NDArray[np.bool_]:
        """Say where nothing but a few blanks is left of the caption."""
        for _ in range(_TRAILING):
            places = places + ((places < self._stops) & (self._kind(places) == _BLANK))
        return places >= self._stops
