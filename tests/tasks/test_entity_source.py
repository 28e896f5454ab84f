from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import FilterConfig
from maskmill.schemas.errors import ConfigError
from maskmill.tasks import nltk_data
from maskmill.tasks.entities import EntityReason as Reason
from maskmill.tasks.entities import EntitySet, NounCounts, select_entities
from maskmill.tasks.entity_source import commit_set, committed_set, named_set, stand_in
from maskmill.tasks.progress import SILENT


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path))


def derived() -> EntitySet:
    counts = NounCounts()
    counts.count({"man": "people", "cat": "cat"})
    return select_entities(counts, lambda name: Reason.KEPT, 9, 1)


def test_a_committed_set_comes_back_as_it_was(catalog: Catalog) -> None:
    assert committed_set(catalog, "r") is None
    commit_set(catalog, "r", derived())
    assert committed_set(catalog, "r") == derived()
    assert committed_set(catalog, "other") is None


def test_a_named_set_comes_back_under_its_name(catalog: Catalog) -> None:
    commit_set(catalog, "r", named_set("demo"))
    assert committed_set(catalog, "r") == named_set("demo")


def test_a_run_that_has_its_set_asks_for_no_nltk_data(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nltk_data, "ensure_data", lambda folder: pytest.fail("not needed"))
    commit_set(catalog, "r", derived())
    assert stand_in(catalog, "r", FilterConfig(), SILENT) is None


def test_a_named_folder_without_data_is_no_reason_to_take_another_set(
    catalog: Catalog, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="nltk_data"):
        stand_in(catalog, "r", FilterConfig(nltk_data=str(tmp_path / "nowhere")), SILENT)
