from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from maskmill.catalogs.demo import KNOWN, SYNONYMS, UNKNOWN, Scene, draw_closeup, draw_scene, plural
from maskmill.catalogs.demo.captions import CaptionWriter
from maskmill.catalogs.demo.looks import Look

_SCENES = 300


def _pattern(*things: str) -> re.Pattern[str]:
    words = [form for thing in things for word in (thing, *SYNONYMS[thing]) for form in (word, plural(word))]
    return re.compile(r"(\b|#)(" + "|".join(w.replace(" ", " ?") for w in words) + r")\b", re.IGNORECASE)


@cache
def _scenes() -> tuple[Scene, ...]:
    return tuple(draw_scene(np.random.default_rng([5, index])) for index in range(_SCENES))


def test_no_caption_names_an_unknown_thing() -> None:
    unknown = _pattern(*UNKNOWN)
    assert any(set(scene.things) & set(UNKNOWN) for scene in _scenes())
    assert not [text for scene in _scenes() for text in scene.captions if unknown.search(text)]


def test_no_caption_names_what_is_not_there() -> None:
    patterns = {thing: _pattern(thing) for thing in KNOWN}
    for scene in _scenes():
        text = "\n".join(scene.captions)
        assert {thing for thing in KNOWN if patterns[thing].search(text)} <= set(scene.things)


def test_most_known_things_are_named_by_some_caption() -> None:
    shown = named = 0
    for scene in _scenes():
        text = "\n".join(scene.captions)
        known = set(scene.things) & set(KNOWN)
        shown += len(known)
        named += sum(bool(_pattern(thing).search(text)) for thing in known)
    assert 0.82 < named / shown < 0.92


def test_a_few_scenes_have_captions_that_name_nothing() -> None:
    any_known = _pattern(*KNOWN)
    idle = [[not any_known.search(text) for text in scene.captions] for scene in _scenes()]
    assert 0.02 < np.mean([any(one) for one in idle]) < 0.12
    assert 0.005 < np.mean([all(one) for one in idle]) < 0.07


def test_scenes_have_two_to_four_captions_of_varied_wording() -> None:
    assert {len(scene.captions) for scene in _scenes()} == {2, 3, 4}
    texts = [text for scene in _scenes() for text in scene.captions]
    assert len(set(texts)) > 0.9 * len(texts)
    assert all(text == text.strip() and "  " not in text and "{" not in text for text in texts)


def test_plurals_count_what_is_there() -> None:
    seen = [("cat", Look("grey")), ("cat", Look("grey"))]
    texts = " ".join(
        text
        for seed in range(30)
        for text in CaptionWriter(np.random.default_rng(seed), "meadow").scene(seen, name_unknown=False)
    )
    assert "two" in texts.lower()
    assert not re.search(r"\ba (grey )?cat\b", texts)


def test_unknown_things_are_named_on_request_only() -> None:
    seen = [("guitar", Look())]

    def texts(name_unknown: bool) -> str:
        writers = (CaptionWriter(np.random.default_rng(seed), "room") for seed in range(10))
        return " ".join(text for writer in writers for text in writer.scene(seen, name_unknown)).lower()

    assert "guitar" in texts(True)
    assert "guitar" not in texts(False)


@pytest.mark.parametrize("seed", range(20))
def test_closeup_captions_name_the_one_thing(seed: int) -> None:
    scene = draw_closeup(np.random.default_rng(seed), 48)
    assert all(_pattern(*scene.things).search(text) for text in scene.captions)
