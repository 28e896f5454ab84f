"""Compounds are read in WordNet, which is real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskmill.tasks.entities import EntityReason
from maskmill.tasks.entity_words import PEOPLE, PLAIN
from maskmill.tasks.nouns import Nouns

REALDATA = Path(os.environ.get("MASKMILL_REALDATA", Path(__file__).parents[2] / "../shared/data"))


@pytest.fixture(scope="module")
def nouns() -> Nouns:
    if not REALDATA.is_dir():
        pytest.skip(f"no real data at {REALDATA}; set MASKMILL_REALDATA")
    return Nouns(str(REALDATA / "nltk_data"))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("caption", "lemma", "group"),
    [
        ("a police car", "police car", "car"),
        ("two tennis balls", "tennis ball", "ball"),
        ("a red fire hydrant", "fire hydrant", "hydrant"),
        ("a baseball bat", "baseball bat", "bat"),
        ("a tennis racket", "tennis racket", "racket"),
        ("a stop sign", "stop sign", "sign"),
        ("a traffic light", "traffic light", "light"),
        ("a polar bear", "polar bear", "bear"),
        ("the train station", "train station", "station"),
        ("a surf board", "surf board", "surfboard"),
        ("a wine glass", "wine glass", "glass"),
        ("a computer mouse", "computer mouse", "mouse"),
        ("a fire fighter", "fire fighter", PEOPLE),
        ("a little girl", "little girl", PEOPLE),
        ("a professional tennis player", "professional tennis player", PEOPLE),
    ],
)
def test_a_kind_of_its_head_is_counted_under_the_head(
    nouns: Nouns, caption: str, lemma: str, group: str
) -> None:
    found = nouns(caption)
    assert found[lemma] == group
    assert not set(lemma.split()) & set(found)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["hot dog", "teddy bear", "parking meter", "ice cream"])
def test_another_thing_than_its_head_stands_for_itself(nouns: Nouns, name: str) -> None:
    for written in (name, name + "s"):
        assert nouns(f"the man has a {written} .") == {"man": PEOPLE, name: name}, written
    assert nouns.judge(name) is EntityReason.KEPT


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a black cat on the street", {"cat": "cat", "street": "street"}),  # a fisher, the money market
        ("a big fish in a bowl", {"fish": "fish", "bowl": "bowl"}),  # an important person
        ("a piece of cake", {"piece": "piece", "cake": "cake"}),  # an easy task
        ("a green house", {"house": "house"}),
        ("a leather jacket", {"leather": "leather", "jacket": "jacket"}),  # a fish
        ("a dog, house and tree", {"dog": "dog", "house": "house", "tree": "tree"}),
    ],
)
def test_plain_words_are_read_literally(nouns: Nouns, caption: str, expected: dict[str, str]) -> None:
    found = nouns(caption)
    assert {lemma: found.get(lemma) for lemma in expected} == expected
    assert not any(" " in lemma for lemma in found)


@pytest.mark.realdata
def test_spellings_of_one_thing_meet_in_one_group(nouns: Nouns) -> None:
    groups = [set(nouns(f"a {written}").values()) for written in ("hotdog", "hot dog", "hot-dog", "hot dogs")]
    assert groups == [{"hot dog"}] * 4


@pytest.mark.realdata
def test_the_leftmost_longest_compound_takes_the_words(nouns: Nouns) -> None:
    assert "tennis player" not in nouns("a professional tennis player")
    spans = nouns._compounds.all_of(["a", "police", "car", "door"], ["DT", "NN", "NN", "NN"])
    assert [(start, end, mention.lemma) for start, end, mention in spans] == [(1, 3, "police car")]


def test_describing_adjectives_are_single_words() -> None:
    assert all(word.isalpha() for word in PLAIN) and "hot" not in PLAIN
