from __future__ import annotations

import itertools

import nltk
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer, PunktTokenizer, word_tokenize
from real_captions import cc3m_captions, coco_captions, data_folder

from maskmill.schemas.errors import ConfigError
from maskmill.tasks import released_matching
from maskmill.tasks.matching import Match
from maskmill.tasks.released_matching import ReleasedMatcher, released_matcher, released_names

NAMES = released_names()
NEVER_SPLIT = ["car", "people", "tv", "TV", "shirt", "T-shirt", "bus", "box", "train"]
PIECES = st.one_of(
    st.text(max_size=2),
    st.characters(max_codepoint=127),
    st.sampled_from(NEVER_SPLIT),
    st.sampled_from([*NEVER_SPLIT, "Car", "cars", "carn't", "T-shirtN'T", "carn", "Mr.", "U.S.", "The", "1"]),
    st.sampled_from(
        [" ", " ", " ", ".", ". ", "...", ", ", ",,", "-", "--", "'", "''", "'s", '"', "``", "\x1c"]
    ),
    st.sampled_from(
        ["cannot", "gonna", "wanna ", "d'ye", "more'n", " 'tis", "(", ")", "?", "\u2019", "\u201c", "é"]
    ),
)
CAPTIONS = st.lists(st.one_of(st.none(), st.lists(PIECES, max_size=8).map("".join)), max_size=5)


@pytest.fixture(autouse=True)
def _nltk_data(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "realdata" in request.keywords:
        if not data_folder().is_dir():
            pytest.skip(f"no real data at {data_folder()}; set MASKMILL_REALDATA")
        monkeypatch.setattr(nltk.data, "path", [str(data_folder() / "nltk_data")])


def named(caption: str) -> list[str]:
    """What the released filter does."""
    return [NAMES[token] for token in word_tokenize(caption) if token in NAMES]


def places(caption: str) -> list[tuple[int, int]]:
    """Where NLTK itself says that the tokens are which are names."""
    found = []
    for begin, end in PunktTokenizer().span_tokenize(caption):
        for a, b in NLTKWordTokenizer().span_tokenize(caption[begin:end]):
            if caption[begin + a : begin + b] in NAMES:
                found.append((begin + a, begin + b))
    return found


def assert_equal(captions: list[str | None]) -> None:
    found = released_matcher()(pa.array(captions, pa.string()))
    expected = [[] if caption is None else named(caption) for caption in captions]
    assert found.entities.to_pylist() == [list(dict.fromkeys(names)) for names in expected]
    assert [[span["entity"] for span in spans] for spans in found.spans.to_pylist()] == expected
    for caption, spans in zip(captions, found.spans.to_pylist(), strict=True):
        ends = [0, *itertools.chain.from_iterable((s["start"], s["end"]) for s in spans)]
        assert ends == sorted(ends)
        assert all(NAMES[(caption or "")[s["start"] : s["end"]]] == s["entity"] for s in spans)


def test_a_hundred_names_stand_for_73_classes() -> None:
    assert (len(NAMES), len(set(NAMES.values()))) == (100, 73)
    assert (NAMES["T-shirt"], NAMES["TV"], NAMES["princess"], NAMES["donut"]) == (
        "shirt", "tv", "people", "donut",
    )  # fmt: skip
    assert "person" not in NAMES


def test_no_name_is_a_part_of_a_contraction() -> None:
    rules = (*NLTKWordTokenizer.CONTRACTIONS2, *NLTKWordTokenizer.CONTRACTIONS3)
    assert len(rules) == 10
    for text in ("cannot", "gimme", "gonna", "gotta", "lemme", "wanna", "d'ye", "more'n", "'tis", "'twas"):
        assert not NAMES.keys() & set(word_tokenize(text, preserve_line=True))


def test_without_data_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(ConfigError, match=r"punkt_tab.*python -m nltk\.downloader punkt_tab"):
        released_matcher()


def test_names_match_letter_by_letter_and_only_as_tokens() -> None:
    captions = ["Dog and dogs", "a man in a T-shirt.", "a TV, a tv", "x-car; car's (bus)", None]
    found = ReleasedMatcher()(pa.array(captions))
    assert found.entities.to_pylist() == [[], ["people", "shirt"], ["tv"], ["car", "bus"], []]
    assert found.spans.to_pylist()[1] == [
        {"start": 2, "end": 5, "entity": "people"},
        {"start": 11, "end": 18, "entity": "shirt"},
    ]


def test_only_captions_that_leave_it_open_are_tokenised(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(released_matching, "word_tokenize", lambda text: asked.append(text) or text.split())
    ReleasedMatcher()(
        pa.array(["A dog.", "a dog. So", "a cat, é", "cats, é", None, "carn't", "carn", "'tv'"])
    )
    assert asked == ["a dog. So", "a cat, é", "carn't", "'tv'"]


@pytest.mark.realdata
@settings(max_examples=300, deadline=None)
@given(CAPTIONS)
def test_it_decides_as_the_released_filter_does(captions: list[str | None]) -> None:
    assert_equal(captions)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "caption",
    [
        'a "car" and a car. Then "bus',
        "''car'' é car",
        "``bus'' \u2019train\u2019 box",
        "carn't é",
        "car's é 'bus' \"",
        "é" * 99,
    ],
)
def test_captions_that_are_tokenised_have_the_places_that_nltk_gives(caption: str) -> None:
    (spans,) = released_matcher()(pa.array([caption])).spans.to_pylist()
    assert [(span["start"], span["end"]) for span in spans] == places(caption)


@pytest.mark.slow
@pytest.mark.realdata
def test_it_decides_as_the_released_filter_does_on_real_captions() -> None:
    assert_equal([*coco_captions(), *cc3m_captions()])


def test_a_caption_that_nltk_gives_up_on_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(caption: str) -> list[str]:
        raise TimeoutError("regex timed out")

    monkeypatch.setattr(released_matching, "word_tokenize", give_up)
    assert released_matching.tokenised_match("a dog", {"dog": "dog"}) == Match()
