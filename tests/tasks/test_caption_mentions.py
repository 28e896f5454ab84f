from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskmill.schemas.tables import CAPTIONS
from maskmill.tasks.caption_mentions import Mentions, matches_of
from maskmill.tasks.matching import Match, Span

NAMES = ("cat", "dog", "café")
IDS = {name: i for i, name in enumerate(NAMES)}
SPANS = st.builds(Span, st.integers(0, 99), st.integers(0, 99), st.sampled_from(NAMES))


def match_of(spans: list[Span]) -> Match:
    return Match(tuple(dict.fromkeys(span.entity for span in spans)), tuple(spans))


@given(st.lists(st.lists(SPANS, max_size=6).map(match_of), max_size=6))
def test_the_columns_hold_what_each_caption_names(matches: list[Match]) -> None:
    found = matches_of(Mentions.of(enumerate(matches), IDS), NAMES, len(matches))
    assert found.entities.to_pylist() == [list(match.entities) for match in matches]
    assert found.spans.to_pylist() == [[span._asdict() for span in match.spans] for match in matches]
    assert found.entities.type == CAPTIONS.field("entities").type
    assert found.spans.type == CAPTIONS.field("spans").type
    found.spans.validate(full=True)


def test_mentions_of_other_captions_are_put_in_order() -> None:
    dog, cat = (match_of([Span(0, 3, name), Span(4, 7, name)]) for name in ("dog", "cat"))
    odd, even = Mentions.of([(1, dog), (3, dog)], IDS), Mentions.of([(0, cat), (2, cat)], IDS)
    both = odd.and_those(even).shifted(10)
    assert both.rows.tolist() == [10, 10, 11, 11, 12, 12, 13, 13]
    assert both.starts.tolist() == [0, 4] * 4
    assert [NAMES[i] for i in both.entities] == ["cat", "cat", "dog", "dog"] * 2


def test_nothing_joined_is_nothing() -> None:
    nothing = Mentions.joined([])
    assert nothing.rows.dtype == np.int64
    assert matches_of(nothing, (), 2).spans.to_pylist() == [[], []]
