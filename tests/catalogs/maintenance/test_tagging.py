from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.tagging import Tagging, tag, tags, untag
from maskmill.catalogs.maintenance.vacuuming import vacuum
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

from .conftest import contents, grow_old


def test_a_tag_names_a_version_where_one_is_asked_for(labelled: Catalog, label: Callable[..., int]) -> None:
    assert tag(labelled.uri, "paper", 1) == Tagging("paper", 1)
    label(labelled, "b", seed=100)
    assert tag(labelled.uri, "best").version == 2
    assert tag(labelled.uri, "copy", "paper").version == 1
    assert tags(labelled.uri) == [Tagging("copy", 1), Tagging("paper", 1), Tagging("best", 2)]
    assert labelled.files("masks", "paper") == labelled.files("masks", 1)
    assert labelled.runs("best") == labelled.runs(2)
    assert [labelled.resolve(name) for name in ("paper", "2", 1, None)] == [1, 2, 1, 2]
    assert Catalog.create_or_open(labelled.uri).version() == 2


def test_a_tag_moves_only_by_force(labelled: Catalog, label: Callable[..., int]) -> None:
    tag(labelled.uri, "best", 1)
    label(labelled, "b", seed=100)
    with pytest.raises(CatalogError, match="'best' stands for version 1; move it with force"):
        tag(labelled.uri, "best", 2)
    assert tag(labelled.uri, "best", 1) == Tagging("best", 1, before=1)
    assert tag(labelled.uri, "best", 2, force=True) == Tagging("best", 2, before=1)
    assert untag(labelled.uri, "best").version == 2
    assert tags(labelled.uri) == []
    with pytest.raises(CatalogError, match="no version or tag 'best'; tags are: none"):
        untag(labelled.uri, "best")


def test_of_two_who_set_a_tag_at_once_one_is_refused(labelled: Catalog, label: Callable[..., int]) -> None:
    label(labelled, "b", seed=100)

    def attempt(number: int) -> str:
        try:
            return f"set {tag(labelled.uri, 'best', 1 + number % 2).version}"
        except CatalogError as err:
            assert "stands for version" in str(err)
            return "refused"

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(attempt, range(8)))
    winner = labelled.resolve("best")
    assert set(outcomes) == {"refused", f"set {winner}"}
    assert [path.name for path in Path(labelled.uri, ".tags").iterdir()] == ["best.json"]


@pytest.mark.parametrize("name", ["", "7", "a/b", "../a", ".a", "a b", "x" * 101, "ü"])
def test_names_that_are_none_are_refused(labelled: Catalog, name: str) -> None:
    with pytest.raises(CatalogError, match="no mere number"):
        tag(labelled.uri, name, 1)
    assert tags(labelled.uri) == []


def test_a_version_that_is_not_there_cannot_be_tagged_or_read(labelled: Catalog) -> None:
    tag(labelled.uri, "paper", 1)
    with pytest.raises(CatalogError, match="no version 9, only 1 to 1"):
        tag(labelled.uri, "x", 9)
    with pytest.raises(CatalogError, match="no version or tag 'papre'; tags are: paper"):
        labelled.files("masks", "papre")


def test_a_damaged_tag_is_an_error_that_names_it(labelled: Catalog) -> None:
    tag(labelled.uri, "paper", 1)
    file = Path(labelled.uri, ".tags", "paper.json")
    for body in ("{", "[]", "{}", '{"version": "x"}'):
        file.write_text(body)
        with pytest.raises(
            CatalogError, match=f"cannot read tag 'paper': remove {re.escape(repr(str(file)))}"
        ):
            labelled.resolve("paper")


def test_a_version_that_was_vacuumed_cannot_be_tagged(labelled: Catalog) -> None:
    compact(labelled.uri)
    tag(labelled.uri, "best", 2)
    grow_old(labelled, 30)
    vacuum(labelled.uri, keep_days=0, dry_run=False)
    with pytest.raises(CatalogError, match=r"version 1 .* was vacuumed"):
        tag(labelled.uri, "paper", 1)
    with pytest.raises(CatalogError, match="was vacuumed"):
        tag(labelled.uri, "best", 1, force=True)
    assert tags(labelled.uri) == [Tagging("best", 2)]
    assert contents(labelled, labelled.resolve("best"))["masks"]
