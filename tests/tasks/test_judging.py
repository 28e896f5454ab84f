from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from maskmill.schemas.errors import ConfigError
from maskmill.schemas.labelmap import IGNORE, LabelMap
from maskmill.schemas.protocols import Protocol, find_protocol
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass, load_vocabulary
from maskmill.tasks.judging import Judge, nearest

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


def _map(labels: list[list[int]], scores: list[list[float]] | None = None) -> LabelMap:
    ids = np.array(labels, np.uint16)
    sure = np.ones(ids.shape) if scores is None else np.array(scores)
    return LabelMap(ids, sure.astype(np.float16), VOCABULARY.names)


def test_without_a_background_class_zero_is_neither_judged_nor_an_answer() -> None:
    judge = Judge(VOCABULARY.model_copy(update={"has_background": False}), TRUTH_NAMES)
    assert judge.protocols == ("known",)
    assert judge.targets(TRUTH)[0].tolist() == [[IGNORE, 2, 1, IGNORE, IGNORE]]
    assert judge.answered(_map([[0, 1]])).tolist() == [[IGNORE, 1]]


def test_a_threshold_makes_unsure_pixels_background() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES, protocol=find_protocol("tcl/bg=0.9", "voc21"))
    assert judge.protocols == ("tcl/bg=0.9",)
    answer = _map([[1, 2, 3, 0]], [[0.89, 0.9, 0.95, 0.1]])
    assert judge.answered(answer).tolist() == [[0, 2, 3, 0]]
    unjudged = Judge(
        judge.vocabulary.model_copy(update={"has_background": False}), TRUTH_NAMES, protocol=judge.protocol
    )
    assert unjudged.answered(answer).tolist() == [[1, 2, 3, IGNORE]]
    assert unjudged.protocols == ("tcl/no-bg",)


def test_truth_and_answer_meet_at_the_short_side_of_the_protocol() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES, protocol=Protocol("small", truth_short_side=4))
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (8, 13)).astype(np.uint16)
    answer, (target,) = judge.compared(_map(rng.integers(0, 4, (8, 13)).tolist()), truth)
    assert answer.shape == target.shape == (4, 6)
    resized = Image.fromarray(judge.targets(truth)[0].astype(np.uint8)).resize(
        (6, 4), Image.Resampling.NEAREST
    )
    assert np.array_equal(target, np.asarray(resized))


def test_nearest_takes_the_pixel_under_each_centre_and_keeps_large_ids() -> None:
    labels = np.array([[0, 1, 2, IGNORE, 40000]], np.uint16)
    for width in (1, 2, 3, 5, 8, 11):
        expected = [int((x + 0.5) * 5 / width) for x in range(width)]
        assert nearest(labels, (1, width)).tolist() == [labels[0, expected].tolist()]


def test_an_image_with_too_little_to_be_found_is_left_out() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES, protocol=Protocol("few", min_foreground=3))
    assert not judge.counts(np.array([[0, 1, 2, IGNORE]], np.uint16))
    assert judge.counts(np.array([[0, 1, 2, 3]], np.uint16))
    assert Judge(VOCABULARY, TRUTH_NAMES).counts(np.zeros((2, 2), np.uint16))


def test_details_say_what_the_protocol_fixes_and_which_words_it_asks_for() -> None:
    vocabulary = load_vocabulary("voc21:groupvit")
    judge = Judge(vocabulary, vocabulary.names, protocol=find_protocol("groupvit", "voc21"))
    details = json.loads(json.dumps(judge.details))
    assert (details["background"], details["resize"], details["size"]) == ("0.95", "short-side", 448)
    assert details["window"] == [448, 224]
    assert details["renames"] == {
        "diningtable": ["table"],
        "pottedplant": ["plant"],
        "tvmonitor": ["monitor"],
    }
    assert judge.reads_logits
    assert not Judge(vocabulary, vocabulary.names).reads_logits


def test_a_map_on_a_segmenters_own_grid_is_resized_as_opencv_does() -> None:
    judge = Judge(VOCABULARY, TRUTH_NAMES, protocol=find_protocol("clip-diy", "pets"))
    grid = _map([[0, 1, 1], [1, 0, 0]])
    answer, (target,) = judge.compared(grid, np.zeros((4, 4), np.uint16))
    assert answer.shape == target.shape == (448, 448)
    columns = [[0, 1, 1], [1, 0, 0]]
    for y, x in ((0, 0), (223, 149), (223, 150), (224, 298), (224, 299), (447, 447)):
        assert answer[y, x] == columns[y * 2 // 448][x * 3 // 448]
