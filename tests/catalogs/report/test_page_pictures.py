from __future__ import annotations

import pytest
from picture_corpus import OneShard

from maskmill.catalogs.report.found import find_pictures
from maskmill.catalogs.report.items import GalleryItem
from maskmill.catalogs.report.page_pictures import prepare, side_for
from maskmill.catalogs.report.thumbnails import Beside
from maskmill.catalogs.store import Catalog


@pytest.mark.parametrize(("thumbnails", "side"), [(0, 448), (24, 448), (200, 320), (800, 160)])
def test_many_thumbnails_are_smaller(thumbnails: int, side: int) -> None:
    assert side_for(thumbnails) == side


def test_a_class_has_one_place_in_all_parts(catalog: Catalog, item: GalleryItem) -> None:
    shown = prepare([item], find_pictures(catalog.uri, None, OneShard("ab")))
    names = [swatch.name for swatch in shown.classes]
    assert [names[card.index] for card in shown.cards] == [card.name for card in shown.cards]
    assert [swatch.items for swatch in shown.classes] == [1, 1, 0, 0]
    (row,) = shown.compared
    assert {names[i] for i in row.row.classes} == {"cat", "dog"}
    assert row.differing == pytest.approx(0.46)


def test_pictures_of_the_catalog_are_shown_where_none_are_given(catalog: Catalog) -> None:
    shown = prepare([], find_pictures(catalog.uri, None, OneShard("ab")))
    assert {row.key for row in shown.gallery.rows} == {"a", "b"}


def test_pictures_beside_the_page_are_named_by_their_content(item: GalleryItem) -> None:
    beside = Beside()
    shown = prepare([item, item], place=beside)
    assert shown.gallery.rows[0].photo == shown.gallery.rows[1].photo
    assert shown.gallery.rows[0].photo in {f"pictures/{name}" for name in beside.files}
