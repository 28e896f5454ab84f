from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_corpus import png
from watching import Watcher

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.report import PicturePlan
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.samples import image_id
from maskmill.tasks.report import ReportPlan, write_report


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """One picture in a tar, with a cat of 30 pixels in the first run and of 60 in the second."""
    (tmp_path / "corpus").mkdir()
    with tarfile.open(tmp_path / "corpus" / "00000.tar", "w") as tar:
        for name, body in (("a.png", png(90)), ("a.txt", b"a cat")):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    for place, area in enumerate((30, 60)):
        _publish(catalog, f"label-{place}", str(tmp_path / "corpus"), area, place)
    return catalog


def _publish(catalog: Catalog, run_id: str, corpus: str, area: int, hour: int) -> None:
    drawn = np.zeros((10, 10), np.bool_)
    drawn.ravel()[:area] = True
    sample = {"image_id": image_id("tiny", "a"), "corpus": "tiny", "key": "a", "shard_id": "00000"}
    image = {"shard_uri": "x", "sha256": "x", "status": "labelled", "vocabulary": ["cat"], "masks": 1}
    size = {"height": 10, "width": 10}
    mask = {"label": "cat", "label_kind": "vocabulary", "segmenter": "s", "rle": encode_mask(drawn)}
    box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 10, "bbox_h": area // 10, "area": area}
    measured = {"area_fraction": area / 100, "components": 1, "score": 0.5}
    rows: dict[str, dict[str, Any]] = {
        "images": {**sample, **image, **size},
        "masks": {**sample, **mask, **size, **box, **measured},
    }
    catalog.commit([write_rows(catalog.uri, table, run_id, "00000", [row]) for table, row in rows.items()])
    time = datetime(2026, 1, 2, hour, tzinfo=UTC)
    run = {"kind": "label", "status": "finished", "corpus": "tiny", "corpus_uri": corpus, "config": "{}"}
    hashes = {"corpus_fingerprint": "f", "config_hash": "c", "weights": "{}", "libraries": "{}"}
    counted = {"code_version": "0", "schema_version": 1, "counts": json.dumps({"images": 1}), "seconds": 1.0}
    times = {"table_versions": "{}", "started_at": time, "finished_at": time}
    catalog.publish({**run, **hashes, **counted, **times}, run_id)


def test_the_page_shows_pictures_classes_and_the_two_runs(catalog: Catalog, tmp_path: Path) -> None:
    written = write_report(catalog.uri, tmp_path / "page.html")
    html = written.page.read_text("utf-8")
    assert (written.version, written.page) == (catalog.version(), tmp_path / "page.html")
    for words in ('id="pictures"', 'id="classes"', 'id="comparison"', "agreement 0.50"):
        assert words in html


def test_a_folder_is_written_where_no_html_file_is_named(catalog: Catalog, tmp_path: Path) -> None:
    written = write_report(catalog.uri, tmp_path / "page")
    assert written.page == tmp_path / "page" / "index.html"
    assert list((tmp_path / "page" / "pictures").iterdir())


def test_an_older_version_has_its_own_pictures(catalog: Catalog, tmp_path: Path) -> None:
    plan = ReportPlan(version=catalog.version() - 1)
    html = write_report(catalog.uri, tmp_path / "page.html", plan).page.read_text("utf-8")
    assert 'id="comparison"' not in html
    assert 'id="classes"' in html


def test_a_corpus_that_is_gone_leaves_the_masks_and_is_told(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "corpus" / "00000.tar").unlink()
    (tmp_path / "corpus").rmdir()
    progress = Watcher()
    html = write_report(catalog.uri, tmp_path / "page.html", progress=progress).page.read_text("utf-8")
    assert 'id="pictures"' not in html
    assert 'id="classes"' in html
    (line,) = progress.said
    assert line.startswith("the report has no photographs: ")


def test_runs_to_compare_must_be_there(catalog: Catalog, tmp_path: Path) -> None:
    plan = ReportPlan(shown=PicturePlan(compare=("label-0", "label-9")))
    with pytest.raises(CatalogError, match="'label-9' to compare; there are: label-0, label-1"):
        write_report(catalog.uri, tmp_path / "page.html", plan)
    assert not (tmp_path / "page.html").exists()
