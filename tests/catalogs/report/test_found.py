from __future__ import annotations

from dataclasses import replace

import pytest
from picture_corpus import OneShard

from maskmill.catalogs.report.found import PicturePlan, find_pictures
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError


def test_all_parts_are_found_and_the_corpus_is_read_once(catalog: Catalog) -> None:
    corpus = OneShard("abcd")
    found = find_pictures(catalog.uri, None, corpus)
    assert {item.key for item in found.gallery} == {"a", "b"}
    assert {mask.label for mask in found.classes} == {"cat", "dog"}
    assert all(mask.photo is not None for mask in found.classes)
    assert found.comparison is not None
    assert (found.comparison.first.run_id, found.comparison.second.run_id) == ("label-old", "label-new")
    assert [image.photo is not None for image in found.compared] == [True]
    assert corpus.seen == ["a", "b"]
    assert found.corpus == corpus.name


def test_zero_means_none(catalog: Catalog) -> None:
    corpus = OneShard("ab")
    found = find_pictures(catalog.uri, None, corpus, PicturePlan(pictures=0, classes=0, compared=0))
    assert (found.gallery, found.classes, found.comparison) == ((), (), None)
    assert corpus.seen == []


@pytest.mark.parametrize("name", ["pictures", "classes", "compared"])
def test_fewer_than_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be 0 or more, not -1"):
        replace(PicturePlan(), **{name: -1})


def test_a_run_is_not_compared_with_itself() -> None:
    with pytest.raises(ConfigError, match="'label-new' cannot be compared with itself"):
        PicturePlan(compare=("label-new", "label-new"))


def test_without_the_corpus_masks_stand_alone_and_it_is_said(catalog: Catalog) -> None:
    said: list[str] = []
    found = find_pictures(catalog.uri, None, OneShard("z"), say=said.append)
    assert found.gallery == ()
    assert found.classes
    assert all(mask.photo is None for mask in found.classes)
    assert said == ["the report has no photographs: shard '00000' of 'data/train' no longer holds 'a'"]


def test_photographs_of_another_corpus_are_not_laid_under_masks(catalog: Catalog) -> None:
    corpus = OneShard("ab", name="other")
    found = find_pictures(catalog.uri, None, corpus)
    assert (found.gallery, found.classes) == ((), ())
    assert [image.photo for image in found.compared] == [None]
    assert corpus.seen == []


def test_named_runs_are_compared(reviewed_catalog: Catalog) -> None:
    plan = PicturePlan(compare=("label-new", "review-1"))
    found = find_pictures(reviewed_catalog.uri, None, OneShard("ab"), plan)
    assert found.comparison is not None
    assert found.comparison.second.kind == "review"
    assert found.comparison.agreement == pytest.approx((10 / 20 + 0) / 2)


def test_runs_that_are_not_there_are_an_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="no finished label or review run 'x'"):
        find_pictures(catalog.uri, None, None, PicturePlan(compare=("x", "label-new")))


def test_an_older_version_has_nothing_to_compare(catalog: Catalog) -> None:
    found = find_pictures(catalog.uri, catalog.version() - 3, OneShard("ab"))
    assert found.comparison is None
    assert {mask.label for mask in found.classes} == {"dog"}
