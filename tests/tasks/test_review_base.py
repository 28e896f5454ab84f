from __future__ import annotations

from pathlib import Path

import pytest
from tiny import label_corpus, write_corpus

from maskmill.catalogs.files import run_of, write_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks.review_base import ReviewBase


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    return write_corpus(tmp_path / "corpus", 2)


def test_files_of_newer_label_runs_come_later(corpus: CorpusConfig, tmp_path: Path) -> None:
    runs = [label_corpus(corpus, tmp_path / "catalog", name) for name in ("z-first", "a-second")]
    catalog = Catalog.open(str(tmp_path / "catalog"))
    base = ReviewBase.of(catalog, None)
    assert [run_of(uri) for uri in base.images(catalog)] == ["z-first"] * 2 + ["a-second"] * 2
    assert base.newest["run_id"] == runs[-1]


def test_labels_are_those_given_and_those_asked_for(corpus: CorpusConfig, tmp_path: Path) -> None:
    label_corpus(corpus, tmp_path / "catalog")
    catalog = Catalog.open(str(tmp_path / "catalog"))
    base = ReviewBase.of(catalog, "val")
    assert base.labels(catalog) == set(load_vocabulary("demo").names) - {"background"}


def test_other_runs_do_not_count(corpus: CorpusConfig, tmp_path: Path) -> None:
    run_id = label_corpus(corpus, tmp_path / "catalog")
    catalog = Catalog.open(str(tmp_path / "catalog"))
    row = catalog.run(run_id)
    assert row is not None
    catalog.commit([write_rows(catalog.uri, "images", "late", "0", [])])
    base = ReviewBase.of(catalog, None)
    assert {run_of(uri) for uri in base.images(catalog)} == {run_id}
    assert (len(base.labelled), base.reviewed) == (1, ())


def test_a_catalog_without_a_label_run_is_refused(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    with pytest.raises(CatalogError, match="nothing is published"):
        ReviewBase.of(catalog, None)
