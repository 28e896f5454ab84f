from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.tasks.entities import EntityReason, EntitySet, NounCounts, select_entities
from maskmill.tasks.ranking_error import Interval, Z, membership_error, uncertain, wilson


def derived(top_k: int, min_count: int = 1, **counts: int) -> EntitySet:
    nouns = NounCounts()
    nouns.groups.update(counts)
    return select_entities(nouns, lambda name: EntityReason.KEPT, top_k, min_count)


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(10, 100)  # by hand: middle 0.11480, half width 0.05957
    assert (low, high) == pytest.approx((0.05523, 0.17437), abs=1e-5)
    assert wilson(0, 50).low == 0 and wilson(50, 50).high == pytest.approx(1)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_its_bounds_solve_the_equation_that_defines_them(drawn: tuple[int, int]) -> None:
    count, total = drawn
    share = count / total
    interval = wilson(count, total)
    assert interval.low <= share + 1e-12 and share <= interval.high + 1e-12
    for bound in interval:
        deviation = Z * math.sqrt(bound * (1 - bound) / total)
        assert abs(share - bound) == pytest.approx(deviation, abs=1e-6)


def test_the_interval_holds_the_true_share_as_often_as_it_says() -> None:
    draw = random.Random(5)
    hits = 0
    for _ in range(400):
        low, high = wilson(sum(draw.random() < 0.03 for _ in range(500)), 500)
        hits += low <= 0.03 <= high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(("count", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(count, total)


def test_touching_intervals_overlap() -> None:
    assert Interval(0.1, 0.2).overlaps(Interval(0.2, 0.3))
    assert not Interval(0.1, 0.2).overlaps(Interval(0.21, 0.3))


def test_candidates_near_the_border_are_uncertain_and_the_others_are_not() -> None:
    entities = derived(3, cat=900, dog=210, cow=200, owl=190, elk=20)
    found = uncertain(entities, 10_000, 3)
    assert [e.name for e in found.kept] == ["dog", "cow"]
    assert [e.name for e in found.left_out] == ["owl"]
    said = membership_error(entities, 10_000, 3)
    assert "10,000 captions" in said and "2 of the 3 members" in said and said.endswith("owl")


def test_a_clear_gap_leaves_nothing_uncertain() -> None:
    entities = derived(2, cat=900, dog=800, cow=100)
    assert uncertain(entities, 10_000, 2) == ((), ())
    assert "no other candidate" in membership_error(entities, 10_000, 2)


def test_more_captions_make_the_same_shares_certain() -> None:
    few = derived(1, cat=12, dog=8)
    many = derived(1, cat=12_000, dog=8_000)
    assert uncertain(few, 100, 1).left_out and not uncertain(many, 100_000, 1).left_out


def test_a_set_that_is_not_full_has_no_border() -> None:
    assert uncertain(derived(5, min_count=3, cat=9, dog=2), 10, 5) == ((), ())


def test_long_lists_are_cut_and_no_captions_say_so() -> None:
    entities = derived(2, **{f"thing{i:02}": 50 for i in range(20)})
    assert membership_error(entities, 1000, 2).endswith("thing11 and 8 more")
    assert "0 captions" in membership_error(derived(2), 0, 2)
