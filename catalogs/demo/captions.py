"""Captions in the registers people use: sentences, tags, titles, exclamations and idle talk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from .backgrounds import BACKGROUNDS
from .looks import Look
from .names import UNKNOWN, plural

_LISTS: Final = (
    "{list}",
    "{list} {place}",
    "{list} {place}",
    "{there} {list} {place}",
    "a picture of {list}",
    "a picture of {list} {place}",
    "view of {list}",
    "view of {list} {place}",
    "illustration of {list} {place}",
    "illustration of {list}",
    "a simple drawing of {list}",
    "kids' drawing of {list}",
    "vector art of {list}",
    "a scene with {list} {place}",
    "{list} in cartoon style",
    "{list}, digital art",
    "today I drew {list}",
    "look, {list}!",
    "I can see {list} {place}",
    "{list} on a nice day",
    "poster with {list}",
    "design with {list} and {ground}",
    "{ground} with {list}",
)
_SOLOS: Final = (
    "my favourite {word}!",
    "what a lovely {word}",
    "cute {word} {place}",
    "{word} sticker",
    "the {word} is {verb} {place}",
    "{list} {verb} {place}",
    "portrait of the {word} {place}",
    "this {word} made my day",
)
_IDLE: Final = (
    "what a lovely day",
    "untitled",
    "my latest work",
    "new picture for the blog",
    "I am so proud of this one",
    "nice colours!",
    "have a great weekend everyone",
    "free download, high quality",
    "work in progress",
    "art of the day",
)
_EMPTY: Final = (
    "view of {ground}",
    "{ground}",
    "something {place}",
    "a quiet moment {place}",
    "picture of {ground}",
)
_CLOSE: Final = (
    "a photo of {one}",
    "a photo of {one}",
    "a close-up of {one}",
    "part of {one}",
    "{one}",
    "a cropped picture of {one}",
    "a drawing of {one}",
    "an image of {one}",
    "{one} {place}",
    "a photo of {one} {place}",
)
_BARE: Final = (
    "a photo of a background",
    "an empty background of {ground}",
    "plain {ground} background, nothing in it",
    "a photo of {ground}",
    "{ground}",
    "nothing but {ground}",
    "background texture of {ground}",
    "a picture of {ground} with no object",
)
_VERBS: Final[dict[str, tuple[str, ...]]] = {
    "car": ("parked", "waiting"),
    "bus": ("waiting", "parked"),
    "boat": ("floating", "drifting"),
    "fish": ("swimming", "gliding"),
    "kite": ("flying", "soaring"),
    "cat": ("sitting", "waiting", "resting"),
    "bird": ("resting", "singing"),
    "butterfly": ("fluttering", "resting"),
    "flower": ("growing", "blooming"),
    "tree": ("standing", "growing"),
    "mushroom": ("growing", "standing"),
    "apple": ("lying", "resting"),
}
_STANDING: Final = ("standing", "placed")
_ADJECTIVES: Final = (
    "little",
    "old",
    "lovely",
    "cute",
    "big",
    "small",
    "pretty",
    "tiny",
    "beautiful",
    "funny",
)
_OVERLOOKED: Final = 0.07  # people leave out some of what a picture shows, whoever writes
_BETWEEN: Final = ("next to", "beside", "and", "with", "near", "and", "by", "behind")
_NUMBERS: Final = ("no", "one", "two", "three", "four")


class CaptionWriter:
    """Writes the captions of one scene from what stands in it; never names a thing it was not given."""

    def __init__(self, rng: np.random.Generator, background: str) -> None:
        self._rng = rng
        self._background = BACKGROUNDS[background]

    def scene(self, seen: Sequence[tuple[str, Look]], name_unknown: bool) -> tuple[str, ...]:
        """Return 2 to 4 captions; 3 % of scenes get idle talk only and 3 % more get one idle caption.

        `seen` holds each visible thing with its look; those in `UNKNOWN` count only with `name_unknown`.
        """
        groups: dict[str, list[Look]] = {}
        for thing, look in seen:
            if name_unknown or thing not in UNKNOWN:
                groups.setdefault(thing, []).append(look)
        for thing in list(groups):
            if len(groups) > 1 and self._rng.random() < _OVERLOOKED:
                del groups[thing]
        count = int(self._rng.choice((2, 3, 4), p=(0.3, 0.45, 0.25)))
        mood = self._rng.random()
        if mood < 0.03:
            return tuple(self._finish(self._fill(self._one(_IDLE + _EMPTY))) for _ in range(count))
        captions = [self._finish(self._informative(groups)) for _ in range(count)]
        if mood < 0.06:
            captions[int(self._rng.integers(count))] = self._finish(self._one(_IDLE))
        return tuple(captions)

    def closeup(self, thing: str, look: Look) -> tuple[str, ...]:
        """Return two captions that name the one thing of a close-up."""
        pair = (self._phrase(thing, [look]) for _ in range(2))
        return tuple(self._fill(self._one(_CLOSE), one=phrase) for phrase in pair)

    def bare(self) -> tuple[str, ...]:
        """Return two captions that say there is only background."""
        first, second = (self._fill(self._one(_BARE)) for _ in range(2))
        return first.replace("plain a ", "plain "), second.replace("plain a ", "plain ")

    def _informative(self, groups: dict[str, list[Look]]) -> str:
        kept = [thing for thing in groups if self._rng.random() < 0.55] or list(groups)[:1]
        if not kept:
            return self._fill(self._one(_EMPTY))
        self._rng.shuffle(kept)
        style = self._rng.random()
        if style < 0.08:
            return self._tags(kept, groups)
        if len(kept) == 1 and len(groups[kept[0]]) == 1 and style < 0.4:
            word = self._word(kept[0], groups[kept[0]])
            verb = self._one(_VERBS.get(kept[0], _STANDING))
            return self._fill(
                self._one(_SOLOS), word=word, verb=verb, list=self._phrase(kept[0], groups[kept[0]])
            )
        there = "there is" if len(groups[kept[0]]) == 1 else "there are"
        phrases = self._join([self._phrase(thing, groups[thing]) for thing in kept])
        return self._fill(self._one(_LISTS), list=phrases, there=there)

    def _tags(self, kept: list[str], groups: dict[str, list[Look]]) -> str:
        words = [self._number(self._word(thing, groups[thing]), len(groups[thing])) for thing in kept]
        if self._rng.random() < 0.4:
            return " ".join(
                "#" + word.replace(" ", "") for word in (*words, self._one(("art", "drawing", "colour")))
            )
        return ", ".join((*words, self._one(("illustration", "drawing", "nobody", "outdoors", "picture"))))

    def _join(self, phrases: list[str]) -> str:
        if len(phrases) == 1:
            return phrases[0]
        if len(phrases) == 2:
            return f"{phrases[0]} {self._one(_BETWEEN)} {phrases[1]}"
        return ", ".join(phrases[:-1]) + " and " + phrases[-1]

    def _phrase(self, thing: str, looks: Sequence[Look]) -> str:
        word = self._word(thing, looks)
        colours = {look.colour for look in looks}
        adjective = ""
        if len(colours) == 1 and self._rng.random() < 0.42:
            adjective = colours.pop()
        elif self._rng.random() < 0.16:
            adjective = self._one(_ADJECTIVES)
        if len(looks) == 1:
            body = f"{adjective} {word}".strip()
            return f"{'an' if body[0] in 'aeiou' else 'a'} {body}"
        some = self._one(
            (_NUMBERS[len(looks)], _NUMBERS[len(looks)], "some", "a few" if len(looks) > 2 else "a pair of")
        )
        return f"{some} {adjective} {plural(word)}".replace("  ", " ")

    def _word(self, thing: str, looks: Sequence[Look]) -> str:
        kinds = {look.kind for look in looks}
        exact = kinds.pop() if len(kinds) == 1 else ""
        return exact if exact and self._rng.random() < 0.34 else thing

    def _number(self, word: str, count: int) -> str:
        return word if count == 1 else plural(word)

    def _fill(self, template: str, **words: str) -> str:
        place, ground = self._one(self._background.places), self._one(self._background.names)
        return template.format(place=place, ground=ground, **words)

    def _finish(self, text: str) -> str:
        style = self._rng.random()
        if text.startswith("#") or style < 0.34:
            return text
        if style < 0.4:
            return text.title().replace("'S", "'s")
        stop = "." if style > 0.7 and text[-1] not in "!." else ""
        return text[0].upper() + text[1:] + stop

    def _one(self, choices: Sequence[str]) -> str:
        return choices[int(self._rng.integers(len(choices)))]
