from __future__ import annotations

import pytest

from maskmill.tasks.surface_forms import fold, surface_forms, words


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("cat", "cats"),
        ("bus", "buses"),
        ("glass", "glasses"),
        ("box", "boxes"),
        ("bench", "benches"),
        ("brush", "brushes"),
        ("butterfly", "butterflies"),
        ("toy", "toys"),
        ("knife", "knives"),
        ("shelf", "shelves"),
        ("man", "men"),
        ("snowman", "snowmen"),
        ("woman", "women"),
        ("human", "humans"),
        ("child", "children"),
        ("grandchild", "grandchildren"),
        ("mouse", "mice"),
        ("goose", "geese"),
        ("potato", "potatoes"),
        ("photo", "photos"),
        ("person", "people"),
        ("fish", "fish"),
        ("sheep", "sheep"),
        ("skis", "skis"),
        ("chef", "chefs"),
    ],
)
def test_a_name_stands_in_singular_and_plural(name: str, plural: str) -> None:
    assert {(name,), (plural,)} <= set(surface_forms(name))


def test_the_last_word_of_a_compound_takes_the_plural() -> None:
    assert surface_forms("alarm clock") == (("alarm", "clock"), ("alarm", "clocks"))


def test_a_hyphenated_name_is_found_apart_and_joined() -> None:
    assert {("t", "shirt"), ("t", "shirts"), ("tshirt",), ("tshirts",)} == set(surface_forms("T-shirt"))


def test_the_name_itself_comes_first() -> None:
    assert all(surface_forms(name)[0] == (name,) for name in ("person", "knife", "bus", "fish"))


@pytest.mark.parametrize("name", ["", "  ", "-", "!?", "_"])
def test_a_name_without_a_letter_has_no_form(name: str) -> None:
    assert surface_forms(name) == ()


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("Dog", "dog"),
        ("CAFÉ", "cafe"),
        ("cafe\u0301", "cafe"),
        ("Straße", "strasse"),
        ("\uff44\uff4f\uff47", "dog"),
        ("um\u00adbrella", "umbrella"),
        ("İ", "i"),
    ],
)
def test_case_accents_and_joiners_do_not_count(word: str, folded: str) -> None:
    assert fold(word) == folded


def test_punctuation_hyphens_and_underscores_part_words() -> None:
    assert words("A red-and_white cat's bowl, 2 spoons") == (
        *("a", "red", "and", "white", "cat", "s"),
        *("bowl", "2", "spoons"),
    )
