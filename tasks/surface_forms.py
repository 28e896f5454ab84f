"""How a name may be written in a caption: case, accents, hyphens, singular and plural."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Combining marks and invisible joiners belong to the word they stand in, though ``\w`` does not hold them.
_INNER: Final = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u00ad\u200c\u200d\u2060"
WORD: Final = re.compile(rf"[^\W_](?:[^\W_]|[{_INNER}])*")
_DROPPED: Final = re.compile(f"[{_INNER}]")

_IRREGULAR: Final = {
    "child": "children",
    "die": "dice",
    "foot": "feet",
    "goose": "geese",
    "louse": "lice",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "tooth": "teeth",
    "cactus": "cacti",
    "fungus": "fungi",
    "hippopotamus": "hippopotami",
    "octopus": "octopi",
}
_F_TO_VES: Final = frozenset(
    (
        "calf",
        "elf",
        "half",
        "hoof",
        "knife",
        "leaf",
        "life",
        "loaf",
        "scarf",
        "sheaf",
        "shelf",
        "thief",
        "wharf",
        "wife",
        "wolf",
    )
)
# English inflects these by -men; "human" and "german" are not among them.
_NOT_MEN: Final = frozenset(("caiman", "german", "human", "ottoman", "roman", "shaman", "talisman"))

Key = tuple[str, ...]


def fold(word: str) -> str:
    """Return the form in which words are compared: caseless, without accents and invisible joiners."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return "".join(c for c in _DROPPED.sub("", decomposed) if not unicodedata.combining(c))


def words(text: str) -> Key:
    """Return the folded words of a text; punctuation, hyphens and blanks part them."""
    return tuple(key for key in (fold(word) for word in WORD.findall(text)) if key)


def surface_forms(name: str) -> tuple[Key, ...]:
    """Return the word sequences that stand for a name: itself and its plurals.

    A name with a hyphen is also found without it ("t-shirt", "t shirt", "tshirt"). A form that no one writes
    ("peoples") does no harm; singulars are not made of plurals.
    """
    key = words(name)
    if not key:
        return ()
    forms = dict.fromkeys([key, *((*key[:-1], plural) for plural in _plurals(key[-1]))])
    if "-" in name:
        forms.update(dict.fromkeys([("".join(form),) for form in forms]))
    return tuple(forms)


def _plurals(word: str) -> list[str]:
    if word in _IRREGULAR:
        return [_IRREGULAR[word], _regular(word)]
    if word in _F_TO_VES:
        return [word.removesuffix("e").removesuffix("f") + "ves", word + "s"]
    if word.endswith("man") and word not in _NOT_MEN:
        return [word.removesuffix("man") + "men"]
    if len(word) > 5 and word.endswith(("foot", "tooth", "child", "goose")):
        head = next(last for last in ("foot", "tooth", "child", "goose") if word.endswith(last))
        return [word.removesuffix(head) + _IRREGULAR[head], _regular(word)]
    if word.endswith("o"):
        return [word + "s", word + "es"]
    return [_regular(word)]


def _regular(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in ("", "a", "e", "i", "o", "u"):
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"
