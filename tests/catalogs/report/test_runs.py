from __future__ import annotations

from maskmill.catalogs.query import connect
from maskmill.catalogs.report.runs import all_runs, counted_label_runs, counted_runs
from maskmill.catalogs.store import Catalog


def test_runs_come_newest_first(catalog: Catalog) -> None:
    with connect(catalog.uri) as db:
        runs = all_runs(db)
    assert runs[0].run_id == "evaluate-1"
    assert runs[-1].run_id == "filter-1"
    assert runs[0].config == {"vocabulary": "captions"}


def test_the_newest_label_run_of_a_corpus_counts(failed_catalog: Catalog) -> None:
    with connect(failed_catalog.uri) as db:
        assert counted_label_runs(db) == ["label-new"]
        assert counted_runs(all_runs(db)) == {"label-new", "filter-1"}
