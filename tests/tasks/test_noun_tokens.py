from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.tasks.noun_tokens import END, tokens_of, tokens_of_all


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A dog's T-shirt, 2 cats.", ["a", "dog", "'s", "t-shirt", ",", "2", "cats", "."]),
        ("\ufb01re_truck", ["fire", "truck"]),
        ("cafe\u0301 --", ["caf\u00e9", "-", "-"]),
        (" \n ", []),
    ],
)
def test_tokens_are_words_and_marks_in_lower_case(caption: str, tokens: list[str]) -> None:
    assert tokens_of(caption) == tokens


# Final sigma, combining marks, ligatures and line separators look at their neighbours, if anything does.
_TEXT = (
    st.text(st.sampled_from("aB\u03a3\u0301\u0327 \n\r\u2028\u0085-'\u2019_.\u1e9b\u0130\uac00\u11a8"))
    | st.text()
)


@given(st.lists(_TEXT, max_size=5))
def test_captions_together_have_the_tokens_of_each(captions: list[str]) -> None:
    expected = chain.from_iterable([*tokens_of(caption), END] for caption in captions)
    assert tokens_of_all(captions) == list(expected)
