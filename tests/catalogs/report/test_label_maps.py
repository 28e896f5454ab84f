from __future__ import annotations

import pytest

from maskmill.catalogs.query import connect
from maskmill.catalogs.report.label_maps import ImageRef, label_maps
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id


def test_masks_of_one_run_are_painted_the_smaller_on_top(catalog: Catalog) -> None:
    image = ImageRef(image_id("demo", "a"), "00000", 10, 10)
    with connect(catalog.uri) as db:
        found = label_maps(db, "label-new", [image])[image]
    assert found.names == ("background", "cat", "dog")
    assert [int((found.labels == i).sum()) for i in range(3)] == [90, 6, 4]
    assert float(found.scores[found.labels == 1].max()) == pytest.approx(0.9, abs=1e-3)


def test_an_image_without_masks_is_all_background(catalog: Catalog) -> None:
    image = ImageRef(image_id("demo", "nobody"), "00000", 4, 6)
    with connect(catalog.uri) as db:
        found = label_maps(db, "label-new", [image])[image]
    assert found.labels.shape == (4, 6)
    assert not found.labels.any()


def test_no_image_needs_no_query(catalog: Catalog) -> None:
    with connect(catalog.uri) as db:
        assert label_maps(db, "label-new", []) == {}
