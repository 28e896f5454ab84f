"""The words of the demo corpus: what it shows, which of it captions may name, and other names for it."""

from __future__ import annotations

from typing import Final

KNOWN: Final[tuple[str, ...]] = (
    "house",
    "tree",
    "car",
    "boat",
    "fish",
    "kite",
    "cup",
    "umbrella",
    "cat",
    "bird",
    "flower",
    "clock",
    "chair",
    "apple",
    "mushroom",
    "bus",
)
UNKNOWN: Final[tuple[str, ...]] = ("guitar", "snowman", "butterfly", "lamp")
THINGS: Final[tuple[str, ...]] = KNOWN + UNKNOWN

SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "house": ("home", "cottage"),
    "tree": ("pine",),
    "car": ("automobile",),
    "boat": ("sailboat", "ship"),
    "fish": (),
    "kite": (),
    "cup": ("mug", "teacup"),
    "umbrella": ("parasol",),
    "cat": ("kitten", "kitty"),
    "bird": ("songbird",),
    "flower": ("blossom", "daisy", "tulip"),
    "clock": ("alarm clock",),
    "chair": (),
    "apple": (),
    "mushroom": ("toadstool",),
    "bus": ("coach",),
    "guitar": ("acoustic guitar",),
    "snowman": (),
    "butterfly": (),
    "lamp": ("table lamp", "desk lamp"),
}

_IRREGULAR: Final[dict[str, str]] = {"fish": "fish", "snowman": "snowmen"}


def label_of(thing: str) -> int:
    """Return the id of `thing` in `Scene.labels`: 1..16 for `KNOWN` in order, 17..20 for `UNKNOWN`."""
    return THINGS.index(thing) + 1


def plural(word: str) -> str:
    """Return the plural of one of this module's words; a compound inflects its last word."""
    head, _, last = word.rpartition(" ")
    if last in _IRREGULAR:
        many = _IRREGULAR[last]
    elif last.endswith(("s", "x", "sh", "ch")):
        many = last + "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        many = last[:-1] + "ies"
    else:
        many = last + "s"
    return f"{head} {many}".strip()
