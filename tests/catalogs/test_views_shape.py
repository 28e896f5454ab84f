"""The shape of the views, which a version chooses by what it holds."""

from __future__ import annotations

import json

import pytest
from prototype_rows import learn
from sql_catalog import BOX, image, mask, publish, rows

from maskmill.catalogs import sql_tables
from maskmill.catalogs.sql_tables import PinnedTables
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.views import VIEWS, Shape

ONCE = {"counts": json.dumps({"repeated": 0})}


def _two_corpora(catalog: Catalog) -> None:
    for corpus in ("web", "photos"):
        images = [image(f"{corpus}{key}", 1) for key in "ab"] + [image(f"{corpus}c", 0, "no_vocabulary")]
        masks = [mask(f"{corpus}a", "cat", BOX, 0.5), mask(f"{corpus}b", "dog", BOX, 0.7)]
        publish(catalog, f"label-{corpus}", 1, {"images": images, "masks": masks}, corpus=corpus, **ONCE)
    publish(catalog, "label-3", 3, {"images": [image("weba", 1)]}, status="failed", reason="power", **ONCE)


def test_where_every_image_was_seen_once_nothing_is_joined(
    empty: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views are then other statements, and must say the same."""
    _two_corpora(empty)
    assert PinnedTables.of(empty.uri, None).shape == Shape(False, False, False)
    names = [name for name in VIEWS if name != "run_summary"]
    simple = {name: rows(empty.uri, f"FROM {name} ORDER BY ALL") for name in names}
    monkeypatch.setattr(sql_tables, "_shape", lambda runs, prototypes: Shape())
    assert {name: rows(empty.uri, f"FROM {name} ORDER BY ALL") for name in names} == simple
    assert len(simple["latest_masks"]) == 4
    assert {row["label"]: row["images"] for row in simple["class_stats"]} == {"cat": 2, "dog": 2}


def test_what_a_version_holds_decides_what_its_views_reckon_with(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 0)]}, **ONCE)
    publish(empty, "label-2", 2, {"images": [image("a", 0)]}, corpus="other")
    publish(empty, "label-3", 3, {"images": [image("a", 0)]}, **ONCE)
    publish(empty, "review-4", 4, {"images": [image("a", 0, "reviewed")]}, corpus="more", **ONCE)
    shapes = [PinnedTables.of(empty.uri, version).shape for version in range(1, 5)]
    assert shapes[0] == Shape(False, False, False)
    assert shapes[1] == Shape(True, False, False)  # a run that did not count its own images
    assert shapes[2] == Shape(True, False, False)
    assert shapes[3] == Shape(True, True, False)
    learn(empty, "p")
    assert PinnedTables.of(empty.uri, None).shape.prototypes
