from __future__ import annotations

import re
from pathlib import Path

import pytest
from picture_corpus import OneShard

from maskmill.catalogs.report import GalleryItem, build_report, find_pictures
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError


def test_report_is_one_file_and_the_same_every_time(
    catalog: Catalog, item: GalleryItem, tmp_path: Path
) -> None:
    first = build_report(catalog.uri, tmp_path / "a" / "report.html", gallery=[item], title="My corpus")
    second = build_report(catalog.uri, tmp_path / "b.html", gallery=[item], title="My corpus")
    assert first.read_bytes() == second.read_bytes()
    assert [p.name for p in first.parent.iterdir()] == ["report.html"]
    assert "<h1>My corpus</h1>" in first.read_text("utf-8")


def test_report_of_an_older_version_has_its_figures(catalog: Catalog, tmp_path: Path) -> None:
    newest = build_report(catalog.uri, tmp_path / "new.html").read_text("utf-8")
    version = catalog.version() - 1
    older = build_report(catalog.uri, tmp_path / "old.html", version=version).read_text("utf-8")
    assert "+10.0" in newest
    assert "+10.0" not in older
    assert f"version {version}" in older


def test_an_existing_report_survives_a_failure(catalog: Catalog, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("old")
    with pytest.raises(CatalogError):
        build_report(str(tmp_path / "nothing"), out)
    assert out.read_text() == "old"


def test_a_file_in_the_way_of_the_folder_is_reported(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        build_report(catalog.uri, tmp_path / "taken" / "report.html")


def test_a_folder_gets_the_page_and_its_pictures(catalog: Catalog, item: GalleryItem, tmp_path: Path) -> None:
    page = build_report(catalog.uri, tmp_path / "report", gallery=[item])
    assert page == tmp_path / "report" / "index.html"
    html = page.read_text("utf-8")
    files = {f"pictures/{path.name}" for path in (tmp_path / "report" / "pictures").iterdir()}
    assert files == set(re.findall(r"pictures/[0-9a-f]+\.webp", html))
    assert "data:image" not in html
    assert "img-src data: 'self' file:;" in html


def test_pictures_of_an_earlier_page_are_removed_and_others_stay(
    catalog: Catalog, item: GalleryItem, tmp_path: Path
) -> None:
    pictures = build_report(catalog.uri, tmp_path / "report", gallery=[item]).parent / "pictures"
    (pictures / "mine.webp").write_text("")
    build_report(catalog.uri, tmp_path / "report")
    assert [path.name for path in pictures.iterdir()] == ["mine.webp"]


def test_classes_and_runs_are_on_the_page(catalog: Catalog, tmp_path: Path) -> None:
    found = find_pictures(catalog.uri, None, OneShard("ab"))
    html = build_report(catalog.uri, tmp_path / "report.html", found=found).read_text("utf-8")
    for words in ('id="classes"', 'id="comparison"', "only second", "Where they differ", 'class="heat"'):
        assert words in html
