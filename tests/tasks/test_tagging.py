"""The batch tagger gives the tags of NLTK's own, on a drawn model and on the released one."""

from __future__ import annotations

import random
from functools import cache

import conse
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tag.perceptron import PerceptronTagger

from maskmill.tasks.nltk_data import use_folder
from maskmill.tasks.tagger_weights import TaggerWeights
from maskmill.tasks.tagger_words import WordTable, normalise
from maskmill.tasks.tagging import BatchTagger

WORDS = [
    *("a", "the", "dog", "Dogs", "running", "hot-dog", "-dash", "1999", "42", "3rd", "x", "", "-START-"),
    *("-END2-", "two words", "\u00e9t\u00e9", "\u0663", "DOG", "ing"),
]
TAGS = ["DT", "NN", "NNS", "VBG", "``", "."]
SENTENCES = st.lists(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=12), max_size=9)


def drawn_model(seed: int) -> PerceptronTagger:
    """Return a tagger with random weights of few values, so that sums are often equal."""
    draw = random.Random(seed)
    tagger = PerceptronTagger(load=False)
    shapes = [normalise(word) for word in WORDS] + ["-START-", "-START2-", "-END-", "-END2-"]
    context = [*TAGS, "-START-", "-START2-"]
    features = ["bias", *(f"i pref1 {word[:1]}" for word in WORDS)]
    for kind in ("i suffix", "i-1 suffix", "i+1 suffix"):
        features += [f"{kind} {word[-3:]}" for word in (*WORDS, *shapes)]
    for kind in ("i word", "i-1 word", "i-2 word", "i+1 word", "i+2 word"):
        features += [f"{kind} {shape}" for shape in shapes]
    features += [f"{kind} {tag}" for kind in ("i-1 tag", "i-2 tag") for tag in context]
    features += [f"i tag+i-2 tag {a} {b}" for a in context for b in context]
    features += [f"i-1 tag+i word {tag} {shape}" for tag in context for shape in shapes]
    values = [-0.3, -0.1, 0.1, 0.2, 0.7]
    tagger.model.weights = {
        feature: {tag: draw.choice(values) for tag in draw.sample(TAGS, 3)}
        for feature in features
        if draw.random() < 0.7
    }
    tagger.tagdict = {"the": "DT", "DOG": "NN"}
    tagger.classes = tagger.model.classes = set(TAGS)
    return tagger


def batched(tagger: PerceptronTagger) -> BatchTagger:
    return BatchTagger(TaggerWeights.of(tagger.model.weights, tagger.tagdict, sorted(tagger.classes)))


@cache
def drawn_pair(seed: int) -> tuple[PerceptronTagger, BatchTagger]:
    tagger = drawn_model(seed)
    return tagger, batched(tagger)


def plain(tagger: PerceptronTagger, sentences: list[list[str]]) -> list[list[str]]:
    return [[tag for _, tag in tagger.tag(sentence)] for sentence in sentences]


@given(SENTENCES, st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_tags_are_those_of_nltk_even_where_sums_are_equal(sentences: list[list[str]], seed: int) -> None:
    tagger, batch = drawn_pair(seed)
    assert batch(sentences) == plain(tagger, sentences)


def test_equal_sums_do_occur_in_the_drawn_models(monkeypatch: pytest.MonkeyPatch) -> None:
    tagger, batch = drawn_model(1), batched(drawn_model(1))
    asked = []
    original = batch._as_nltk
    monkeypatch.setattr(batch, "_as_nltk", lambda *args: asked.append(args) or original(*args))
    draw = random.Random(2)
    sentences = [[draw.choice(WORDS) for _ in range(8)] for _ in range(300)]
    assert batch(sentences) == plain(tagger, sentences)
    assert len(asked) > 20


def test_nothing_gives_nothing() -> None:
    _, batch = drawn_pair(0)
    assert batch([]) == []
    assert batch([[], ["dog"], []])[::2] == [[], []]


def test_ids_lose_their_meaning_only_with_a_new_generation() -> None:
    weights = TaggerWeights.of({"bias": {"NN": 1.0}}, {}, ["NN", "DT"])
    table = WordTable(weights, limit=2)
    assert table.intern(["b", "c", "b"], 3).tolist() == [4, 5, 4]
    assert table.words[4:] == ["b", "c"] and table.generation == 0
    table.intern(["d"], 1)
    assert table.intern(["e"], 1).tolist() == [4] and table.generation == 1
    assert table.words[4:] == ["e"]


def test_more_words_than_the_table_had_room_for_keep_their_features() -> None:
    tagger, batch = drawn_pair(3)
    many = [[f"w{i}ing", "dog", f"{i}"] for i in range(6000)]
    assert batch(many)[-50:] == plain(tagger, many[-50:])


@pytest.mark.parametrize(
    "weights",
    [{"bias": {"NN": 0.12345}}, {"bias": {"XX": 1.0}}, {"unheard": {"NN": 1.0}}, {"bias": 3}],
)
def test_weights_of_another_kind_are_refused(weights: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match=r"decimals|no weights|unknown feature"):
        TaggerWeights.of(weights, {}, ["NN"])


def test_weights_are_kept_exactly() -> None:
    weights = TaggerWeights.of({"i word dog": {"NN": 34.39, "DT": -0.001}}, {"a": "DT"}, ["DT", "NN"])
    row = weights.rows[weights.row("i word", "dog")]
    assert dict(zip(weights.labels, row.tolist(), strict=True)) == {"NN": 34390, "DT": -1}
    assert weights.row("i word", "cat") == 0 and not np.any(weights.rows[0])
    assert weights.labels[weights.tagdict["a"]] == "DT"


@pytest.fixture(scope="module")
def released() -> tuple[PerceptronTagger, BatchTagger]:
    folder = conse.data_folder() / "nltk_data"
    if not folder.is_dir():
        pytest.skip("no real data; set MASKMILL_REALDATA")
    use_folder(str(folder))
    return PerceptronTagger(), BatchTagger.load()


@pytest.mark.realdata
@given(sentences=SENTENCES)
@settings(max_examples=150, deadline=None)
def test_the_released_model_tags_any_tokens_as_nltk_does(
    released: tuple[PerceptronTagger, BatchTagger], sentences: list[list[str]]
) -> None:
    tagger, batch = released
    assert batch(sentences) == plain(tagger, sentences)


@pytest.mark.realdata
def test_the_released_model_tags_captions_as_nltk_does(
    released: tuple[PerceptronTagger, BatchTagger],
) -> None:
    lines = (conse.data_folder() / "captions/cc3m_Validation_GCC-1.1.0.tsv").read_text("utf-8").splitlines()
    captions = [line.split("\t")[0].split() for line in lines[:2000]]
    tagger, batch = released
    assert batch(captions) == plain(tagger, captions)
