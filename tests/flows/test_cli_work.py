"""The commands that do work, and what they print of it: progress, a summary, what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke
from fake_segmenter import FAKE
from PIL import Image

from maskmill.catalogs.demo import DemoCorpus
from maskmill.catalogs.query import query
from maskmill.flows.cli.output import SUMMARY_KEYS
from maskmill.schemas.config import CorpusConfig

pytestmark = pytest.mark.usefixtures("wide")

Captured = pytest.CaptureFixture[str]


def test_a_demo_corpus_is_drawn_and_not_drawn_twice(tmp_path: Path, capsys: Captured) -> None:
    flags = ["demo-corpus", "--out", str(tmp_path / "scenes"), "--images", "2", "--held-out", "0"]
    ran = invoke(capsys, *flags, "--json")
    assert (ran.code, ran.summary["images"]) == (0, 2)
    (shard,) = (tmp_path / "scenes" / "train").glob("*.tar")
    before = shard.stat().st_mtime_ns
    again = invoke(capsys, *flags)
    assert again.code == 0
    assert "ground_truth" in again.out
    assert "draw: 2/2 images" in again.err
    assert shard.stat().st_mtime_ns == before


def test_quiet_means_no_progress(tmp_path: Path, capsys: Captured) -> None:
    flags = ["--out", str(tmp_path / "scenes"), "--images", "1", "--held-out", "0", "--quiet"]
    assert invoke(capsys, "demo-corpus", *flags).err == ""


@pytest.mark.usefixtures("prefect_server")
def test_a_label_summary_is_one_json_object_that_agrees_with_the_catalog(
    corpus: CorpusConfig, tmp_path: Path, capsys: Captured
) -> None:
    catalog = str(tmp_path / "catalog")
    command = ["label", corpus.uri, "--catalog", catalog, "--segmenter", FAKE, "--backend", "inline"]
    config = tmp_path / "label.toml"
    config.write_text('vocabulary = "captions"\n[filter]\nentities = "demo"\n')
    ran = invoke(capsys, *command, "--config", str(config), "--json")
    assert ran.code == 0
    assert list(ran.summary) == [key for key in SUMMARY_KEYS if key in ran.summary]
    for key, sql in {
        "images": "SELECT count(*) AS n FROM images",
        "masks": "SELECT count(*) AS n FROM masks",
        "labels": "SELECT count(DISTINCT label) AS n FROM masks",
        "captions": "SELECT count(*) AS n FROM captions",
        "errors": "SELECT count(*) AS n FROM errors",
    }.items():
        assert ran.summary[key] == query(catalog, sql)["n"][0].as_py(), key
    again = invoke(capsys, *command, "--config", str(config))
    assert "nothing was labelled again" in again.out


@pytest.mark.usefixtures("prefect_server")
def test_an_evaluation_prints_the_score_of_its_subject(
    scenes: DemoCorpus, tmp_path: Path, capsys: Captured
) -> None:
    flags = ["--catalog", str(tmp_path / "catalog"), "--segmenter", FAKE, "--backend", "inline", "--json"]
    ran = invoke(capsys, "evaluate", str(scenes.root), *flags)
    assert ran.code == 0
    assert ran.summary["images"] == 4
    assert 0 <= ran.summary["teacher_miou"] <= 1
    assert set(ran.summary) <= set(SUMMARY_KEYS)


@pytest.mark.usefixtures("prefect_server")
def test_labelling_images_that_no_caption_describes_says_what_to_do(tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    command = ["label", str(folder), "--catalog", str(tmp_path / "catalog"), "--segmenter", FAKE]
    ran = invoke(capsys, *command, "--entities", "demo", "--backend", "inline")
    assert ran.code == 0
    assert "--vocabulary" in ran.out


def test_a_picture_is_segmented_without_a_catalog(capsys: Captured, tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    out = tmp_path / "overlay.png"
    small = ("--option", "patch_sizes=[64]", "--option", "short_side=64")
    given = (
        "segment",
        str(tmp_path / "grey.png"),
        "--out",
        str(out),
        "--clip",
        "demo",
        "--objectness",
        "none",
    )
    ran = invoke(capsys, *given, "--classes", "cat, dog", *small, "--heat-maps")
    assert ran.code == 0, ran.err
    assert str(out) in ran.out
    with Image.open(out) as drawn:
        assert drawn.size == (50, 40)
    assert (tmp_path / "overlay.heat.png").is_file()
    assert invoke(capsys, *given).code == 2
    assert invoke(capsys, *given, "--classes", " , ").code == 2
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n")
    torn = invoke(capsys, "segment", str(tmp_path / "torn.png"), *given[2:], "--classes", "cat", *small)
    assert torn.code == 6
    assert "not segmented" in torn.out


def test_an_objectness_head_is_trained_from_the_command_line(capsys: Captured, tmp_path: Path) -> None:
    for name in "ab":
        Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(tmp_path / f"{name}.png")
    out = tmp_path / "head.safetensors"
    (tmp_path / "recipe.toml").write_text("iterations = 2\nbatch = 2\n")
    given = ("--backbone", "clip", "--clip", "demo", "--config", str(tmp_path / "recipe.toml"))
    ran = invoke(capsys, "train-objectness", str(tmp_path), "--out", str(out), *given, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["images"] == 2
    assert out.is_file()
