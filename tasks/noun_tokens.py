"""Captions as tokens for the tagger: lower case, and one list for many captions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# Words as the tagger's training text (Penn Treebank) has them, but hyphenated compounds stay whole.
_PATTERN: Final = r"[^\W_]+(?:-[^\W_]+)*|['\u2019]\w+|[^\w\s]"
_TOKEN: Final = re.compile(_PATTERN)
_TOKEN_OR_END: Final = re.compile(rf"{_PATTERN}|\n")

END: Final = "\n"
"""Ends every caption in :func:`tokens_of_all`; no token holds it."""


def tokens_of(caption: str) -> list[str]:
    """Return the tokens of one caption."""
    return _TOKEN.findall(_folded(caption))


def tokens_of_all(captions: Iterable[str]) -> list[str]:
    """Return the tokens of all captions one after the other, with END after each caption's.

    Neither normalisation nor lower case looks beyond a line's end, so the tokens are those of the captions.
    """
    text = "".join(f"{caption.replace(END, ' ')}{END}" for caption in captions)
    return _TOKEN_OR_END.findall(_folded(text))


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()
