from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass, load_vocabulary
from maskmill.tasks.entities import Entity, EntitySet
from maskmill.tasks.matching import Match, Matcher, Span
from maskmill.tasks.surface_forms import surface_forms, words


def matcher(**classes: str) -> Matcher:
    """``name="synonym, synonym"``; an underscore in a name stands for a blank."""
    listed = tuple(
        VocabularyClass(name=name.replace("_", " "), synonyms=tuple(s for s in synonyms.split(", ") if s))
        for name, synonyms in classes.items()
    )
    return Matcher(EntitySet.of_vocabulary(Vocabulary(name="test", classes=listed)))


def named(match: Match, caption: str) -> list[tuple[str, str]]:
    return [(caption[span.start : span.end], span.entity) for span in match.spans]


def test_entities_come_once_in_order_and_spans_for_every_mention() -> None:
    find = matcher(cat="", dog="")
    caption = "A dog, a cat and two dogs"
    match = find(caption)
    assert match.entities == ("dog", "cat")
    assert match.spans == (Span(2, 5, "dog"), Span(9, 12, "cat"), Span(21, 25, "dog"))


@pytest.mark.parametrize("caption", ["carpet", "scar", "cars2", "motorcar", "carefully", "c a r", ""])
def test_part_of_a_word_is_no_mention(caption: str) -> None:
    assert matcher(car="")(caption) == Match((), ())


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("CAR!", "CAR"),
        ("the car's door", "car"),
        ("the cars' doors", "cars"),
        ("the car\u2019s door", "car"),
        ("(car)", "car"),
        ("my_car_2019.jpg", "car"),
        ("#car", "car"),
        ("nice\u2014car\u2014here", "car"),
        ("a çar", "çar"),
        ("a c\u0327ar", "c\u0327ar"),
        ("a \uff43\uff41\uff52", "\uff43\uff41\uff52"),
        ("a police-car", "car"),
        ("car\nboat", "car"),
        ("🚗🚗 car", "car"),
    ],
)
def test_spans_cover_the_word_as_it_is_written(caption: str, text: str) -> None:
    assert named(matcher(car="")(caption), caption) == [(text, "car")]


@pytest.mark.parametrize("caption", ["a car-free street", "car-park", "car\u2010free"])
def test_the_modifier_of_a_hyphenated_compound_is_no_mention(caption: str) -> None:
    assert matcher(car="")(caption).spans == ()


def test_the_longest_name_wins() -> None:
    find = matcher(clock="", alarm_clock="", alarm="")
    caption = "alarm clocks, a clock, an alarm; alarm-clock"
    assert named(find(caption), caption) == [
        ("alarm clocks", "alarm clock"),
        ("clock", "clock"),
        ("alarm", "alarm"),
        ("alarm-clock", "alarm clock"),
    ]


def test_a_name_does_not_reach_over_punctuation() -> None:
    find = matcher(alarm_clock="", clock="")
    assert find("alarm, clock").entities == ("clock",)


def test_a_shorter_name_is_found_where_the_longer_one_breaks_off() -> None:
    find = matcher(table="", table_tennis_bat="")
    caption = "table tennis and a table"
    assert named(find(caption), caption) == [("table", "table"), ("table", "table")]


def test_synonyms_and_their_plurals_stand_for_the_name() -> None:
    find = matcher(people="man, lady, t-shirt wearer", house="home")
    assert find("Two men and three ladies at home").entities == ("people", "house")


def test_an_exact_name_goes_before_the_plural_of_another() -> None:
    find = matcher(glass="", glasses="")
    assert find("a glass and glasses").entities == ("glass", "glasses")


def test_entities_that_are_not_kept_are_not_found() -> None:
    rows = (Entity("cat", (), 5, 1, True, "kept"), Entity("view", (), 4, 2, False, "abstract"))
    assert Matcher(EntitySet("derived", rows))("view of a cat").entities == ("cat",)


def test_the_demo_set_knows_its_other_names_and_no_background() -> None:
    find = Matcher(EntitySet.of_vocabulary(load_vocabulary("demo")))
    found = find("two mugs, a cottage and an alarm clock on a plain background").entities
    assert found == ("cup", "house", "clock")


NAMES = ("cat", "t-shirt", "alarm clock", "bus", "knife", "café")
FIND = matcher(**{name.replace(" ", "_"): "" for name in NAMES})
FORMS = {name: set(surface_forms(name)) for name in NAMES}
PIECES = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        [*NAMES, "CATS", "T-Shirts", "knives", "cafe\u0301", "-", "\u2010", "'s", " ", "_", "\u00ad"]
    ),
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_in_any_text_spans_are_ordered_and_read_as_a_form_of_their_entity(caption: str) -> None:
    match = FIND(caption)
    end = 0
    for span in match.spans:
        assert end <= span.start < span.end <= len(caption)
        end = span.end
        key = words(caption[span.start : span.end])
        assert key in FORMS[span.entity]
    assert match.entities == tuple(dict.fromkeys(span.entity for span in match.spans))


@given(st.text(max_size=8), st.sampled_from(NAMES), st.text(max_size=8))
def test_a_name_between_blanks_is_always_found(before: str, name: str, after: str) -> None:
    caption = f"{before}. {name} .{after}"
    assert any(span.start == len(before) + 2 for span in FIND(caption).spans)


def test_a_candidate_of_several_words_that_is_not_kept_blocks_the_names_inside_it() -> None:
    find = with_candidates("dog, bear, bus, stop sign", "hot dog, teddy bear=stuffed bear, bus stop, bun")
    assert find("a hot dog, Teddy-Bears, a stuffed bear at a bus stop") == Match()
    caption = "a bear beside a hot dog and a dog"
    assert named(find(caption), caption) == [("bear", "bear"), ("dog", "dog")]


def test_a_blocking_form_takes_its_words_as_a_name_does() -> None:
    find = with_candidates("dog, hot dog stand, stop sign, bus", "hot dog, bus stop")
    caption = "hot dog stand; hot, dog; bus stop sign; stop sign"
    assert named(find(caption), caption) == [
        ("hot dog stand", "hot dog stand"),
        ("dog", "dog"),
        ("stop sign", "stop sign"),
    ]


def test_a_form_that_names_an_entity_does_not_block() -> None:
    find = with_candidates("frankfurter=hot dog, dog", "hot dog, hot dogs")
    assert find("a hot dog and two hot dogs").entities == ("frankfurter",)


def test_one_word_blocks_nothing() -> None:
    assert with_candidates("dog", "dogs, tdog, t-dog")("dogs, a tdog, a dog").entities == ("dog",)


def with_candidates(kept: str, others: str) -> Matcher:
    """Names parted by commas; ``name=synonym`` gives one a synonym."""
    entities = [
        Entity(name, tuple(s for s in [synonym] if s), 1, rank, keep, "test")
        for keep, names in ((True, kept), (False, others))
        for rank, (name, _, synonym) in enumerate(n.partition("=") for n in names.split(", "))
    ]
    return Matcher(EntitySet("test", tuple(entities)))
