"""Verdicts from a name's neighbours against NLTK's rules, which need no data once sentences are cut."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.tokenize import word_tokenize

from maskmill.tasks.caption_words import Rows, Words
from maskmill.tasks.released_tokens import NO_TOKEN, TABLE, TOKEN, UNSURE, Neighbours


def verdicts(caption: str, name: str = "dog") -> list[int]:
    """Return the verdict on each run of letters and digits that is ``name``."""
    before, after = "dog", "dog."  # captions beside it, of which nothing may be seen
    text = (before + caption + after).encode()
    rows = Rows(0, text, np.cumsum([0, len(before), len(caption.encode()), len(after)]))
    words = Words.split(rows, TABLE)
    here = (words.starts >= rows.offsets[1]) & (words.ends <= rows.offsets[2])
    places = zip(words.starts[here], words.ends[here], strict=True)
    named = np.array([place for place in places if text[slice(*place)] == name.encode()], int).reshape(-1, 2)
    begins, stops = (np.full(len(named), rows.offsets[i]) for i in (1, 2))
    return Neighbours(words, begins, stops).verdict(*named.T).tolist()


@pytest.mark.parametrize(
    "end", [".", " .", ". \n", ",", ", cat", ",cat", "'s", "'s tail", "!", ":", "\tcat", "", ";"]
)
@pytest.mark.parametrize("begin", ["", "a ", "(", "a,", "#", "black&", '"', "`", "$", "<", "%", "?"])
def test_a_name_parted_from_its_neighbours_is_a_token(begin: str, end: str) -> None:
    assert verdicts(f"{begin}dog{end}") == [TOKEN]


@pytest.mark.parametrize(
    "tied", ["x-#", "-#", "#-x", "#/a", "_#", ".#", "#,3", "#:0", "#=", "\\#", "#\0", "x-#'"]
)
def test_a_name_tied_to_a_neighbour_is_none(tied: str) -> None:
    assert verdicts(tied.replace("#", "dog")) == [NO_TOKEN]


@pytest.mark.parametrize(
    "neighbours",
    ["a #. The", "#.)", "#..", "..#", "--#", "#--", "#'", "'#'", "#'sx", "a,,#", "#\x1c", "é#", "#\u2019s",
     "#,\u0663", "#.      "],
)  # fmt: skip
def test_where_it_depends_on_more_no_verdict_is_given(neighbours: str) -> None:
    assert verdicts(neighbours.replace("#", "dog")) == [UNSURE]


PIECES = st.one_of(
    st.sampled_from(
        ["dog", "dog", "dog", " ", " ", "cannot", "gonna", "d'ye", "more'n", "'tis", "n't", "'s", "''"]
    ),
    st.characters(max_codepoint=127),
)


@given(st.lists(PIECES, max_size=10).map("".join))
def test_a_verdict_is_what_nltk_says_of_the_text_as_one_sentence(caption: str) -> None:
    found = verdicts(caption)
    tokens = word_tokenize(caption, preserve_line=True).count("dog")
    clipped = len(re.findall(r"dogn(?='t)", caption, re.IGNORECASE))
    assert found.count(TOKEN) <= tokens <= found.count(TOKEN) + found.count(UNSURE) + clipped


@given(st.lists(st.one_of(PIECES, st.sampled_from(["dogn't", "dogN'T"])), max_size=8).map("".join))
def test_every_token_is_a_run_or_one_that_is_clipped_before_not(caption: str) -> None:
    runs = set(re.findall("[a-zA-Z0-9]+", caption))
    if "dog" in word_tokenize(caption, preserve_line=True):
        assert runs & {"dog", "dogn", "dogN"}
