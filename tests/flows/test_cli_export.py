"""The commands ``export`` and ``review import`` on a catalog of two label runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import invoke

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def catalog(labelled: str, tmp_path: Path) -> str:
    """A copy that may be changed."""
    return str(shutil.copytree(labelled, tmp_path / "catalog"))


def test_a_tag_names_the_version(catalog: str, tmp_path: Path, capsys: Captured) -> None:
    assert invoke(capsys, "catalog", "tag", catalog, "paper", "--version", "1").code == 0
    export = ["export", catalog, "--format", "coco", "--masks-only", "--json"]
    ran = invoke(capsys, *export, "--out", str(tmp_path / "coco"), "--version", "paper")
    assert (ran.code, ran.summary["version"], ran.summary["images"]) == (0, 1, 6)
    assert json.loads((tmp_path / "coco" / "export.json").read_bytes())["tag"] == "paper"
    unknown = invoke(capsys, *export, "--out", str(tmp_path / "other"), "--version", "draft")
    assert unknown.code == 4
    assert "no version or tag 'draft'" in unknown.err


def test_index_pngs_go_out_and_come_back_and_count(catalog: str, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "city"
    export = ["export", catalog, "--format", "index-png", "--masks-only"]
    assert invoke(capsys, *export, "--out", str(out), "--layout", "cityscapes").code == 0
    assert len(list((out / "gtFine").rglob("*_gtFine_labelTrainIds.png"))) == 12
    ran = invoke(capsys, "review", "import", catalog, str(out), "--format", "index-png", "--json")
    assert (ran.code, ran.summary["images"], ran.summary["errors"]) == (0, 12, 0)
    corrected = invoke(capsys, *export, "--out", str(tmp_path / "second"))
    assert "12 images are as people left them (review runs: 1)" in corrected.out
    plain = invoke(capsys, *export, "--out", str(tmp_path / "third"), "--no-corrections", "--json")
    assert plain.code == 0
    assert "corrected" not in plain.summary


def test_a_folder_where_another_process_is_at_work_is_refused(
    catalog: str, tmp_path: Path, capsys: Captured
) -> None:
    from maskmill.catalogs.exporters.lock import locked

    out = tmp_path / "coco"
    with locked(out):
        ran = invoke(capsys, "export", catalog, "--format", "coco", "--out", str(out))
    assert ran.code == 2
    assert "is exporting to" in ran.err
