"""How ablations are held against the papers' tables."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from maskmill.models.metrics import ConfusionMatrix

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def order() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("ablation_order")
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def tables(order: ModuleType) -> ModuleType:
    return importlib.import_module("paper_tables")


def test_the_published_numbers_have_one_entry_per_column(tables: ModuleType) -> None:
    published = [t for t in vars(tables).values() if isinstance(t, tables.PaperTable)]
    assert len(published) == 4
    assert all(len(row) == len(table.columns) for table in published for row in table.rows.values())
    assert set(tables.CLIP_DIY_TABLE_3.rows) == set(tables.CLIP_DIY_SCALES)


def test_a_column_leaves_out_what_the_paper_does_not_give(tables: ModuleType) -> None:
    assert set(tables.ZERO_GUIDANCE_TABLE_3.column("PC-59 TGQ")) == {
        "crop and mask",
        "without global subtraction",
        "full",
    }


def test_miou_and_its_resamples_equal_a_confusion_matrix(order: ModuleType) -> None:
    rng = np.random.default_rng(0)
    pictures = [
        ConfusionMatrix(5).update(rng.integers(0, 5, (6, 7)), rng.integers(0, 4, (6, 7))).counts
        for _ in range(8)
    ]
    weights = order.resamples(8, draws=20, seed=3)
    estimate = order.miou_of(np.stack(pictures), weights)
    for value, times in zip([estimate.value, *estimate.draws], [np.ones(8, int), *weights], strict=True):
        matrix = ConfusionMatrix(5)
        for counts, often in zip(pictures, times, strict=True):
            matrix.merge(counts * int(often))
        assert value == pytest.approx(matrix.miou())
    assert estimate.error == pytest.approx(estimate.draws.std(ddof=1))


def test_resamples_take_as_many_images_as_there_are(order: ModuleType) -> None:
    weights = order.resamples(12, draws=50)
    assert weights.shape == (50, 12)
    assert (weights.sum(axis=1) == 12).all()
    assert np.array_equal(weights, order.resamples(12, draws=50))
    assert not np.array_equal(weights, order.resamples(12, draws=50, seed=1))


def test_a_ratio_is_of_sums_and_unknown_where_nothing_was_held(order: ModuleType) -> None:
    weights = np.array([[2, 0, 1], [0, 3, 0]])
    estimate = order.ratio_of(np.array([1.0, 0.0, 2.0]), np.array([2.0, 0.0, 2.0]), weights)
    assert estimate.value == pytest.approx(3 / 4)
    assert estimate.draws[0] == pytest.approx(4 / 6)
    assert np.isnan(estimate.draws[1])


def _estimate(order: ModuleType, value: float, noise: float = 0.0) -> object:
    draws = value + noise * np.array([-1.0, 1.0, -1.0, 1.0])
    return order.Estimate(value, draws)


def test_only_pairs_in_another_order_are_swaps(order: ModuleType) -> None:
    published = {"a": 30.0, "b": 20.0, "c": 20.0, "d": 10.0, "unmeasured": 99.0}
    here = {"a": 0.5, "b": 0.2, "c": 0.3, "d": 0.25, "extra": 0.9}
    found = order.swaps(published, {name: _estimate(order, value) for name, value in here.items()})
    assert [(swap.better, swap.worse) for swap in found] == [("d", "b")]
    assert found[0].gain == pytest.approx(0.05)
    assert found[0].loss == pytest.approx(10)


def test_differences_are_paired(order: ModuleType) -> None:
    published = {"a": 2.0, "b": 1.0}
    together = {"a": _estimate(order, 0.4, 0.1), "b": _estimate(order, 0.5, 0.1)}
    apart = {"a": _estimate(order, 0.4, -0.1), "b": _estimate(order, 0.5, 0.1)}
    assert order.swaps(published, together)[0].clear
    assert not order.swaps(published, apart)[0].clear


def test_equal_values_share_a_place(order: ModuleType) -> None:
    assert order.ranks({"a": 1.0, "b": 3.0, "c": 3.0, "d": 2.0}) == {"a": 4, "b": 1, "c": 1, "d": 3}


def test_words_say_what_differs_and_what_is_not_clear(order: ModuleType) -> None:
    published = {"a": 3.0, "b": 2.0, "c": 1.0}
    here = {
        "a": _estimate(order, 0.2, 0.03),
        "b": _estimate(order, 0.5, 0.03),
        "c": _estimate(order, 0.24, -0.03),
    }
    head, clear, unclear = order.order_lines(published, "VOC", here)
    assert head == "  VOC: order differs"
    assert clear.strip() == "'b' above 'a' by 30.0 +- 0.0, in the paper 1.0 below"
    assert "not clear: 'c' above 'a' by 4.0" in unclear
    same = {name: _estimate(order, -value) for name, value in {"a": -3.0, "b": -2.0}.items()}
    assert order.order_lines(published, "VOC", same) == ["  VOC: the paper's order"]
    equal = {name: _estimate(order, 0.5) for name in published}
    (told,) = order.order_lines({"a": 3.0, "b": 2.0}, "VOC", equal)
    assert told == "  VOC: nothing against the paper's order; equal here: 'a' and 'b'"
    assert "no order to compare" in order.order_lines(published, "VOC", {"a": here["a"]})[0]


def test_a_table_shows_what_was_not_run(order: ModuleType, tables: ModuleType) -> None:
    here = {tables.FOUND: _estimate(order, 0.6, 0.01), tables.NONE: _estimate(order, 0.3, 0.01)}
    lines = order.table_lines(tables.CLIP_DIY_TABLE_4, here)
    (cutler,) = (line for line in lines if line.startswith(tables.CUTLER))
    assert cutler.split("|")[0].split()[-4:] == ["not", "run", "-", "-"]
    (none,) = (line for line in lines if line.startswith(tables.NONE))
    assert none.split("|")[0].split()[-3:] == ["30.0", "1.2", "2"]
    assert none.split("|")[1].split() == ["24.1", "2"]
    assert lines[-1] == "  PASCAL VOC: the paper's order"
