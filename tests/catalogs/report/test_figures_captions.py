from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.report.figures_captions import cut


def span(start: int, end: int, entity: str = "cat") -> dict[str, object]:
    return {"start": start, "end": end, "entity": entity}


def test_entities_are_cut_out_in_order() -> None:
    pieces = cut("a cat and a dog", [span(12, 15, "dog"), span(2, 5)])
    assert pieces == (("a ", None), ("cat", "cat"), (" and a ", None), ("dog", "dog"))


def test_of_overlapping_spans_the_first_and_longer_wins() -> None:
    assert cut("alarm clock", [span(6, 11, "clock"), span(0, 5, "alarm"), span(0, 11, "clock")]) == (
        ("alarm clock", "clock"),
    )


@pytest.mark.parametrize("bad", [span(3, 99), span(4, 4), span(5, 2), span(-2, 1)])
def test_a_span_outside_of_the_caption_is_passed_over(bad: dict[str, object]) -> None:
    assert cut("a cat", [bad]) == (("a cat", None),)


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(-3, 33), st.integers(-3, 33)), max_size=8))
def test_pieces_always_add_up_to_the_caption(caption: str, ranges: list[tuple[int, int]]) -> None:
    pieces = cut(caption, [span(a, b) for a, b in ranges])
    assert "".join(text for text, _ in pieces) == caption
    assert all(text for text, _ in pieces)
