from __future__ import annotations

import pytest

from maskmill.catalogs.query import connect
from maskmill.catalogs.report.comparison import Comparison, chosen_pair, compare_runs, likely_pairs
from maskmill.catalogs.report.runs import all_runs
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError


def compared(catalog: Catalog, first: str, second: str) -> Comparison:
    with connect(catalog.uri) as db:
        found = compare_runs(db, chosen_pair(all_runs(db), (first, second)), 5)
    assert found is not None
    return found


def test_classes_are_counted_in_both_runs(catalog: Catalog) -> None:
    found = compared(catalog, "label-old", "label-new")
    cat, dog = found.classes
    assert (cat.label, cat.first, cat.second, cat.both, cat.iou) == ("cat", 0, 1, 0, None)
    assert (dog.label, dog.first, dog.second, dog.both) == ("dog", 1, 1, 1)
    assert dog.iou == pytest.approx(4 / 50)


def test_agreement_is_the_mean_over_labels_of_either_run(catalog: Catalog) -> None:
    found = compared(catalog, "label-old", "label-new")
    assert found.images == 1
    assert found.agreement == pytest.approx((4 / 50 + 0) / 2)
    (worst,) = found.worst
    assert [(p.label, p.first, p.second) for p in worst.labels] == [("cat", False, True), ("dog", True, True)]
    assert sum(b.count for b in found.bins) == found.bins[0].count == 1


def test_a_run_agrees_with_itself(catalog: Catalog) -> None:
    found = compared(catalog, "label-new", "label-new")
    assert (found.images, found.agreement) == (2, 1.0)
    assert found.bins[-1].count == 2


def test_images_come_by_least_agreement(reviewed_catalog: Catalog) -> None:
    found = compared(reviewed_catalog, "label-old", "review-1")
    assert [p.agreement for p in found.worst] == sorted(p.agreement for p in found.worst) == [0.0]


def test_runs_without_a_common_image_cannot_be_compared(catalog: Catalog) -> None:
    with connect(catalog.uri) as db:
        runs = chosen_pair(all_runs(db), ("label-old", "label-new"))
        db.execute("CREATE TEMP TABLE kept AS FROM images WHERE run_id = 'label-old'")
        db.execute("CREATE TEMP VIEW images AS FROM kept")
        assert compare_runs(db, runs, 5) is None


def test_a_run_that_is_not_there_is_named_with_those_that_are(catalog: Catalog) -> None:
    with (
        connect(catalog.uri) as db,
        pytest.raises(CatalogError, match=r"'filter-1' to compare.*label-new, label-old"),
    ):
        chosen_pair(all_runs(db), ("label-new", "filter-1"))


def test_a_review_is_held_against_the_run_it_corrects(reviewed_catalog: Catalog) -> None:
    with connect(reviewed_catalog.uri) as db:
        pairs = [(a.run_id, b.run_id) for a, b in likely_pairs(all_runs(db))]
    assert pairs == [("label-old", "review-1"), ("label-old", "label-new")]


def test_failed_runs_are_not_compared(failed_catalog: Catalog) -> None:
    with connect(failed_catalog.uri) as db:
        assert [b.run_id for _, b in likely_pairs(all_runs(db))] == ["label-new"]
