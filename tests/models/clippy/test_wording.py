from __future__ import annotations

import pytest

from maskmill.models.clippy.wording import Wording, with_article
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass, load_vocabulary

GIVEN = Vocabulary(
    name="v",
    classes=(
        VocabularyClass(name="background", prompts=("Sky", "bag", "bag")),
        VocabularyClass(name="car", synonyms=("auto",)),
        VocabularyClass(name="bag"),
    ),
    templates=("the {}",),
)


def _words(vocabulary: Vocabulary) -> list[tuple[str, ...]]:
    return [c.words for c in vocabulary.classes]


def test_bare_words_are_asked_for_class_by_class() -> None:
    asked, background = Wording().ask(GIVEN)
    assert _words(asked) == [("Sky", "bag", "bag"), ("car", "auto"), ("bag",)]
    assert (asked.templates, background) == (("{}",), 1)


def test_each_word_of_the_background_can_be_a_class() -> None:
    asked, background = Wording(templates=None, each=True).ask(GIVEN)
    assert _words(asked) == [("Sky",), ("bag",), ("car", "auto"), ("bag",)]
    assert (asked.templates, background) == (("the {}",), 2)


def test_the_released_code_writes_articles_and_lower_case() -> None:
    asked, _ = Wording(articles=True).ask(GIVEN)
    assert _words(asked)[1] == ("a photo of a car", "a photo of an auto")
    assert _words(asked)[0][0] == "a photo of a sky"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("hour", "a photo of a hour"), ("umbrella", "a photo of an umbrella"), ("Egg", "a photo of a egg")],
)
def test_vowels_are_letters_and_looked_at_before_the_case_is_changed(word: str, expected: str) -> None:
    assert with_article(word) == expected


def test_the_background_of_appendix_i_has_its_long_list() -> None:
    vocabulary = load_vocabulary("voc21:clippy")
    assert len(Wording().ask(vocabulary)[0].classes) == 21
    asked, background = Wording(each=True).ask(vocabulary)
    assert background == len(set(vocabulary.classes[0].words)) > 60
    assert len(asked.classes) == 20 + background
