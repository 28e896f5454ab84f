from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.report import GalleryItem, build_report
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
