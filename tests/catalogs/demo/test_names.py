from __future__ import annotations

import pytest

from maskmill.catalogs.demo import KNOWN, SYNONYMS, THINGS, UNKNOWN, label_of, plural


def test_known_and_unknown_do_not_overlap() -> None:
    assert len(KNOWN) == 16
    assert len(UNKNOWN) == 4
    assert not set(KNOWN) & set(UNKNOWN)
    assert set(SYNONYMS) == set(THINGS)


def test_labels_count_known_things_first() -> None:
    assert [label_of(name) for name in KNOWN] == list(range(1, 17))
    assert [label_of(name) for name in UNKNOWN] == [17, 18, 19, 20]


def test_no_synonym_belongs_to_two_things() -> None:
    words = [word for thing in THINGS for word in (thing, *SYNONYMS[thing])]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("word", "many"),
    [
        ("cat", "cats"),
        ("bus", "buses"),
        ("coach", "coaches"),
        ("daisy", "daisies"),
        ("fish", "fish"),
        ("snowman", "snowmen"),
        ("butterfly", "butterflies"),
        ("alarm clock", "alarm clocks"),
    ],
)
def test_plural(word: str, many: str) -> None:
    assert plural(word) == many
