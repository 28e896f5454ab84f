from __future__ import annotations

import duckdb
import pytest

from maskmill.catalogs.report.data import Cooccurrence
from maskmill.catalogs.report.figures_masks import mask_figures

ROWS = [
    ("r", "1", "cat", 0.97, 0.3),
    ("r", "1", "dog", 0.52, 0.005),
    ("r", "2", "cat", float("nan"), 0.6),
    ("r", "3", "dog", 1.0, 0.03),
    ("r", "3", "tree", 0.0, 0.03),
    ("other", "3", "cat", 0.5, 0.5),
]


@pytest.fixture
def db() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE masks"
        " (run_id VARCHAR, image_id VARCHAR, label VARCHAR, score FLOAT, area_fraction FLOAT)"
    )
    connection.executemany("INSERT INTO masks VALUES (?, ?, ?, ?, ?)", ROWS)
    return connection


def test_every_label_has_its_histograms(db: duckdb.DuckDBPyConnection) -> None:
    figures = mask_figures(db, ["r"])
    dog = next(label for label in figures.labels if label.label == "dog")
    assert {i: n for i, n in enumerate(dog.scores) if n} == {10: 1, 19: 1}
    assert dog.areas == (1, 0, 1, 0, 0, 0, 0)
    assert dog.area_fraction == pytest.approx(0.0175)


def test_histograms_of_labels_add_up_to_those_of_all(db: duckdb.DuckDBPyConnection) -> None:
    figures = mask_figures(db, ["r"])
    assert figures.total == 5
    areas = zip(*(label.areas for label in figures.labels), strict=True)
    scores = zip(*(label.scores for label in figures.labels), strict=True)
    assert [sum(counts) for counts in areas] == [b.count for b in figures.areas]
    assert [sum(counts) for counts in scores] == [b.count for b in figures.scores]
    assert sum(b.count for b in figures.scores) == 4


def test_labels_that_occur_together_are_counted_by_image(db: duckdb.DuckDBPyConnection) -> None:
    together = mask_figures(db, ["r"]).together
    assert together.labels == ("cat", "dog", "tree")
    assert together.images == ((2, 1, 0), (1, 2, 1), (0, 1, 1))


def test_the_greatest_share_is_of_the_rarer_label(db: duckdb.DuckDBPyConnection) -> None:
    assert mask_figures(db, ["r"]).together.greatest_share == 1
    assert Cooccurrence(("a", "b"), ((10, 2), (2, 8))).greatest_share == 0.25
    assert Cooccurrence(("a",), ((10,),)).greatest_share == 0


def test_no_run_has_no_masks(db: duckdb.DuckDBPyConnection) -> None:
    assert mask_figures(db, []).labels == ()


def test_an_image_of_two_runs_counts_in_each(db: duckdb.DuckDBPyConnection) -> None:
    together = mask_figures(db, ["r", "other"]).together
    assert together.labels == ("cat", "dog", "tree")
    # Image 3 has a cat in one run, a dog and a tree in the other: they did not occur together.
    assert together.images == ((3, 1, 0), (1, 2, 1), (0, 1, 1))
