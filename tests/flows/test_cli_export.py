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


def test_a_finished_export_says_that_nothing_was_left_to_write(
    catalog: str, tmp_path: Path, capsys: Captured
) -> None:
    export = ["export", catalog, "--format", "coco", "--masks-only", "--out", str(tmp_path / "coco")]
    assert f"written to {tmp_path / 'coco'}" in invoke(capsys, *export).out
    assert f"nothing was left to write in {tmp_path / 'coco'}" in invoke(capsys, *export).out


@pytest.mark.parametrize("out", ["s3://bucket/coco", "nowhere://coco"])
def test_an_export_goes_to_no_object_store_and_to_no_folder_named_like_one(
    out: str, catalog: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = invoke(capsys, "export", catalog, "--format", "coco", "--masks-only", "--out", out)
    assert ran.code == 2
    assert repr(out) in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


def test_what_a_review_left_out_is_told_with_the_way_to_ask_why(
    catalog: str, tmp_path: Path, capsys: Captured
) -> None:
    exported = [
        "export",
        catalog,
        "--format",
        "labelstudio",
        "--masks-only",
        "--out",
        str(tmp_path / "tasks"),
    ]
    assert invoke(capsys, *exported).code == 0
    tasks = [
        task for file in (tmp_path / "tasks" / "tasks").iterdir() for task in json.loads(file.read_bytes())
    ]
    for number, task in enumerate(tasks):
        drawn = task["predictions"][0]["result"]
        task["annotations"] = [{"result": drawn}] if number < 5 else []
    tasks[0]["data"] = {"image": "elsewhere.jpg"}
    (tmp_path / "project.json").write_text(json.dumps(tasks), "utf-8")
    flags = ["review", "import", catalog, str(tmp_path / "project.json"), "--format", "labelstudio"]
    for _ in range(2):
        ran = invoke(capsys, *flags)
        assert ran.code == 0
        assert f"{len(tasks) - 5} images that nobody has looked at were left out." in ran.out
        statement = ran.out.split('"')[1]
    asked = invoke(capsys, "sql", catalog, statement, "--format", "json")
    assert [(row["key"], row["reason"]) for row in json.loads(asked.out)] == [
        ("elsewhere.jpg", "unknown_image")
    ]
