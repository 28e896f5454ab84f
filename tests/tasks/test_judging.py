from __future__ import annotations

import numpy as np
import pytest

from maskmill.schemas.errors import ConfigError
from maskmill.schemas.labelmap import IGNORE, LabelMap
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass
from maskmill.tasks.judging import Judge

VOCABULARY = Vocabulary(
    name="pets",
    classes=(
        VocabularyClass(name="background"),
        VocabularyClass(name="cat"),
        VocabularyClass(name="dog", synonyms=("hound",)),
        VocabularyClass(name="bird"),
    ),
)
TRUTH_NAMES = ("background", "hound", "cat", "robot")
TRUTH = np.array([[0, 1, 2, 3, IGNORE]], np.uint16)


def test_unknown_things_are_background_in_one_protocol_and_not_judged_in_the_other() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES)
    strict, lenient = judge.targets(TRUTH)
    assert judge.protocols == ("known", "known-ignore-unknown")
    assert strict.tolist() == [[0, 2, 1, 0, IGNORE]]
    assert lenient.tolist() == [[0, 2, 1, IGNORE, IGNORE]]


def test_where_every_class_is_known_there_is_one_protocol() -> None:
    judge = Judge(VOCABULARY, ("background", "dog", "cat"), from_captions=True)
    assert judge.protocols == ("known+captions",)
    assert [t.tolist() for t in judge.targets(TRUTH[:, :3])] == [[[0, 2, 1]]]


def test_answers_are_mapped_by_name_from_the_vocabulary_that_was_asked() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES)
    labels = np.array([[0, 1, 2, IGNORE]], np.uint16)
    answer = LabelMap(labels, np.ones((1, 4), np.float16), ("background", "bird", "cat"))
    assert judge.answered(answer).tolist() == [[0, 3, 1, IGNORE]]


def test_an_image_is_asked_everything_or_what_its_captions_name() -> None:
    captions = ("Two HOUNDS chase a robot", None, "hounds again", "a Cat")
    assert Judge(VOCABULARY, TRUTH_NAMES).asked(captions) == VOCABULARY
    asked = Judge(VOCABULARY, TRUTH_NAMES, from_captions=True).asked(captions)
    assert asked.names == ("background", "cat", "dog")
    assert asked.classes[2].synonyms == ("hound",)


def test_captions_that_name_nothing_leave_only_the_background() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES, from_captions=True)
    assert judge.asked((None, "what a lovely day")).names == ("background",)


def test_a_vocabulary_of_other_things_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'pets' names no class of the ground truth.*robot"):
        Judge(VOCABULARY, ("background", "robot"))
