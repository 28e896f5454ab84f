"""Odd names of places, labels and runs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from digests import contents
from sql_catalog import image, mask, publish

from maskmill.catalogs.maintenance import info, tag, verify
from maskmill.catalogs.query import query
from maskmill.catalogs.sql_script import sql_script
from maskmill.catalogs.storage import catalog_uri
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

LABELS = ["it's", 'a "b"', "a\nb\r\n\tc", "x'; DROP VIEW masks; --", "漢字 🦓 é", "%s {0} \\ $1", "NULL", " "]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "it's",
        'q"q',
        "ü漢🦓",
        "50% off",
        "a%2",
        "#hash",
        "[x]",
        "{a,b}",
        "$HOME",
        "~",
        "a;b",
        "a&b=c",
        "-x",
    ],
)
def test_a_catalog_lives_at_any_path(tmp_path: Path, name: str) -> None:
    uri = f"{tmp_path}/{name}/c"
    catalog = Catalog.create_or_open(uri)
    assert catalog.uri == uri
    drawn = {"images": [image("a", 1)], "masks": [mask("a", "cat", (0, 0, 9, 9), 0.5)]}
    publish(catalog, "label-1", 1, drawn)
    assert query(uri, "SELECT key, label FROM latest_masks").to_pylist() == [{"key": "a", "label": "cat"}]
    tag(uri, "t")
    assert (info(uri, "t").version, verify(uri).findings) == (1, ())
    with duckdb.connect() as plain:
        plain.execute(sql_script(uri))
        assert plain.execute("SELECT key FROM latest_masks").fetchall() == [("a",)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["100%25", "a?b", "a*b", "a::b", "a\nb", "a\tb", "a\\b", "a\0b"])
def test_a_path_that_a_library_would_take_for_another_is_refused(tmp_path: Path, name: str) -> None:
    for call in (Catalog.open, Catalog.create_or_open, lambda uri: query(uri, "SELECT 1")):
        with pytest.raises(CatalogError, match=r"a catalog cannot lie at .*: choose a path without"):
            call(f"{tmp_path}/{name}/c")
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_no_characters_or_of_no_text_is_refused(tmp_path: Path) -> None:
    for nothing in ("", "  "):
        with pytest.raises(CatalogError, match="needs a place"):
            catalog_uri(nothing)
    with pytest.raises(CatalogError, match="surrogates not allowed"):
        Catalog.create_or_open(f"{tmp_path}/\udce9")
    with pytest.raises(CatalogError, match="File name too long"):
        Catalog.create_or_open(f"{tmp_path}/{'x' * 300}")


def test_labels_are_texts_whatever_they_hold(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "c"))
    drawn = [mask("a", label, (0, 0, 9, 9), 0.5) for label in LABELS]
    publish(catalog, "label-1", 1, {"images": [image("a", len(LABELS))], "masks": drawn})
    for view in ("latest_masks", "class_stats", "label_stats"):
        assert set(query(catalog.uri, f"SELECT label FROM {view}")["label"].to_pylist()) == set(LABELS)
    for label in LABELS:
        escaped = label.replace("'", "''")
        assert query(catalog.uri, f"FROM masks WHERE label = '{escaped}'").num_rows == 1
    assert verify(catalog.uri).findings == ()


@pytest.mark.parametrize("name", ["../r", "a/b", "", "a b", "x" * 151, ".r", "é"])
def test_a_run_id_cannot_lead_out_of_its_table(filled: str, name: str) -> None:
    before = contents(filled)
    with pytest.raises(CatalogError, match="must be letters, digits and"):
        publish(Catalog.open(filled), name, 1, {"images": [image("a", 0)]})
    with pytest.raises(CatalogError, match="has no version or tag"):
        query(filled, "SELECT 1", version=f"{name}'; DROP")
    assert contents(filled) == before
