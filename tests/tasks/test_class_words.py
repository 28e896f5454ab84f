from __future__ import annotations

import numpy as np
import pytest
from free_text import Sentences

from maskmill.models.metrics.free_text import TEXT_THRESHOLD, UNASSIGNED, text_generation_quality
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass
from maskmill.tasks.class_words import ClassWords

CLASSES = (
    VocabularyClass(name="background"),
    VocabularyClass(name="cat"),
    VocabularyClass(name="craft", synonyms=("aeroplane", "boat")),
)


@pytest.mark.parametrize("has_background", [True, False])
def test_a_class_is_met_by_any_of_its_words(has_background: bool) -> None:
    words = ClassWords(Sentences(), Vocabulary(name="v", classes=CLASSES, has_background=has_background))
    found = words.nearest(["boat", "jet", "cat", "background", "", "moon"], TEXT_THRESHOLD)
    background = 0 if has_background else UNASSIGNED
    assert found.tolist() == [2, 2, 1, background, UNASSIGNED, UNASSIGNED]


def test_a_text_is_compared_with_the_words_of_its_own_class_only() -> None:
    words = ClassWords(Sentences(), Vocabulary(name="v", classes=CLASSES))
    texts, classes = ["jet", "jet", "", "cat"], [2, 1, 2, 1]
    predicted, truth = words.pairs(texts, classes)
    assert (predicted * truth).sum(axis=1) == pytest.approx([0.9, 0, 0, 1], abs=1e-6)
    assert text_generation_quality(predicted, truth) == 0.5
    assert not np.any(predicted[2])
