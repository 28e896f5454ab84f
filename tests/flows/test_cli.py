"""The command line: what it prints, where, and with which exit code it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import environment, invoke, spawn
from fake_segmenter import FAKE
from PIL import Image

from maskmill.catalogs.demo import DemoCorpus
from maskmill.catalogs.query import query
from maskmill.flows import demo as demo_module
from maskmill.flows import filter as filter_module
from maskmill.flows.cli.app import ENVIRONMENT, app
from maskmill.flows.cli.output import SUMMARY_KEYS
from maskmill.models.segmenters import registered
from maskmill.schemas.config import CorpusConfig, DemoConfig
from maskmill.schemas.vocabulary import shipped_vocabularies

Captured = pytest.CaptureFixture[str]
COMMANDS = sorted(name for name in app if not name.startswith("-"))
COUNT = "SELECT label, count(*) AS masks FROM masks GROUP BY label"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def demo_configs(monkeypatch: pytest.MonkeyPatch) -> list[DemoConfig]:
    """The configurations with which the demo flow was called; it ends at once."""
    seen: list[DemoConfig] = []

    def stop(out: Path, config: DemoConfig) -> None:
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_module, "demo", stop)
    return seen


def test_every_command_is_there() -> None:
    expected = "catalog demo demo-corpus doctor evaluate export filter label probe report review segment"
    assert " ".join(COMMANDS) == f"{expected} segmenters sql train train-objectness"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples_of_it(command: str, capsys: Captured) -> None:
    ran = invoke(capsys, command, "--help")
    assert ran.code == 0
    _, _, examples = ran.out.partition("Examples:")
    assert f"maskmill {command} " in f"{examples} "


def test_help_names_the_exit_codes(capsys: Captured) -> None:
    ran = invoke(capsys, "--help")
    assert ran.code == 0
    assert all(f"{code} " in ran.out for code in (0, 1, 2, 3, 4, 5, 6, 130))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["label", "x", "--catalog", "y", "--clipp", "demo"], ["--clipp"]),
        (["label", "x"], ["--catalog"]),
        (["lable"], ["lable", "label"]),
        (["label", "x", "--catalog", "y", "--backend", "threads"], ["ray", "inline"]),
        (["label", "x", "--catalog", "y", "--workers", "many"], ["--workers", "many"]),
        (["sql", "x", "SELECT 1", "--format", "xml"], ["table", "json", "csv"]),
    ],
)
def test_a_wrong_flag_ends_with_2_and_is_named(
    arguments: list[str], named: list[str], capsys: Captured
) -> None:
    ran = invoke(capsys, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert all(word in ran.err for word in named)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[segmenter]\nclipp = "demo"\n', "segmenter.clipp"),
        ("batch_images = 0\n", "batch_images"),
        ("batch_images = = 1\n", "cannot be read"),
        ('[pool]\nbackend = "threads"\n', "'ray' or 'inline'"),
    ],
)
def test_a_wrong_configuration_file_ends_with_2_and_names_the_field(
    text: str, named: str, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "label.toml"
    file.write_text(text)
    ran = invoke(capsys, "label", "x", "--catalog", "y", "--config", str(file))
    assert ran.code == 2
    assert ran.err.startswith("maskmill: ")
    assert named in ran.err


def test_a_missing_configuration_file_ends_with_2(tmp_path: Path, capsys: Captured) -> None:
    ran = invoke(capsys, "filter", "x", "--catalog", "y", "--config", str(tmp_path / "none.toml"))
    assert ran.code == 2
    assert "none.toml" in ran.err


def test_a_seed_of_the_demo_weights_is_refused(tmp_path: Path, capsys: Captured) -> None:
    ran = invoke(capsys, "demo", "--out", str(tmp_path / "demo"), "--seed", "1000")
    assert ran.code == 2
    assert "demo weights" in ran.err
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(
    "flags", [[], ["--workers", "1"], ["--config", "demo.toml"]], ids=["plain", "flag", "file"]
)
def test_the_demo_keeps_its_segmenter_whatever_else_is_given(
    flags: list[str],
    demo_configs: list[DemoConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo.toml").write_text('[label.segmenter]\ndevice = "cpu"\n')
    assert invoke(capsys, "demo", "--out", "out", *flags).code == 130
    (config,) = demo_configs
    assert config.label.segmenter.clip == config.label.segmenter.objectness == "demo"


def test_pool_flags_of_the_demo_hold_for_labelling_and_judging(
    demo_configs: list[DemoConfig], capsys: Captured
) -> None:
    invoke(capsys, "demo", "--out", "out", "--backend", "inline")
    (config,) = demo_configs
    assert config.label.pool.backend == config.evaluate.pool.backend == "inline"


def test_student_and_segmenter_together_are_refused(capsys: Captured) -> None:
    ran = invoke(capsys, "evaluate", "x", "--catalog", "y", "--student", "s", "--segmenter", "clip-diy")
    assert (ran.code, ran.err) == (2, "maskmill: give --student or --segmenter, not both\n")


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("segmenter", "vocabulary", "choices"),
    [(FAKE, "pascal", shipped_vocabularies()), ("sam", "demo", registered())],
)
def test_an_unknown_name_ends_with_2_and_the_choices(
    segmenter: str,
    vocabulary: str,
    choices: tuple[str, ...],
    corpus: CorpusConfig,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    flags = ["--segmenter", segmenter, "--vocabulary", vocabulary, "--backend", "inline"]
    ran = invoke(capsys, "label", corpus.uri, "--catalog", str(tmp_path / "catalog"), *flags)
    assert ran.code == 2
    assert all(name in ran.err for name in choices)


@pytest.mark.usefixtures("prefect_server")
def test_a_missing_corpus_ends_with_3(tmp_path: Path, capsys: Captured) -> None:
    flags = ["--catalog", str(tmp_path / "catalog"), "--entities", "demo", "--json"]
    ran = invoke(capsys, "filter", str(tmp_path / "nowhere"), *flags)
    assert (ran.code, ran.out) == (3, "")
    assert "nowhere" in ran.err


@pytest.mark.parametrize("command", [["sql"], ["report", "--out", "page.html"]])
def test_a_missing_catalog_ends_with_4(command: list[str], tmp_path: Path, capsys: Captured) -> None:
    name, *flags = command
    statement = ["SELECT 1"] if name == "sql" else []
    ran = invoke(capsys, name, str(tmp_path / "nowhere"), *statement, *flags)
    assert (ran.code, ran.out) == (4, "")
    assert "no catalog at" in ran.err


def test_a_file_in_place_of_a_catalog_ends_with_4(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "catalog").write_text("not a folder")
    ran = invoke(capsys, "sql", str(tmp_path / "catalog"), "SELECT 1")
    assert ran.code == 4
    assert "is a file" in ran.err


@pytest.mark.usefixtures("prefect_server")
def test_labelling_into_a_file_ends_with_4(corpus: CorpusConfig, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "catalog").write_text("not a folder")
    flags = ["--segmenter", FAKE, "--vocabulary", "demo", "--backend", "inline"]
    ran = invoke(capsys, "label", corpus.uri, "--catalog", str(tmp_path / "catalog"), *flags)
    assert ran.code == 4
    assert "is a file" in ran.err


@pytest.mark.usefixtures("prefect_server")
def test_missing_clip_weights_end_with_5(corpus: CorpusConfig, tmp_path: Path, capsys: Captured) -> None:
    flags = ["--clip", str(tmp_path), "--objectness", "none", "--vocabulary", "demo", "--backend", "inline"]
    ran = invoke(capsys, "label", corpus.uri, "--catalog", str(tmp_path / "catalog"), *flags)
    assert ran.code == 5
    assert "open_clip_config.json" in ran.err


def test_sql_prints_a_table_json_or_csv(labelled: str, capsys: Captured) -> None:
    expected = query(labelled, COUNT).to_pylist()
    table = invoke(capsys, "sql", labelled, COUNT)
    assert (table.code, table.err) == (0, "")
    assert table.out.splitlines()[0].split() == ["label", "masks"]
    assert json.loads(invoke(capsys, "sql", labelled, COUNT, "--format", "json").out) == expected
    (row,) = csv.DictReader(io.StringIO(invoke(capsys, "sql", labelled, COUNT, "--format", "csv").out))
    assert {**row, "masks": int(row["masks"])} == expected[0]


def test_sql_answers_from_an_older_version(labelled: str, capsys: Captured) -> None:
    one = ["sql", labelled, "SELECT count(*) AS n FROM runs", "--format", "json"]
    assert json.loads(invoke(capsys, *one, "--version", "1").out) == [{"n": 1}]
    assert json.loads(invoke(capsys, *one).out) == [{"n": 2}]
    ran = invoke(capsys, *one, "--version", "9")
    assert ran.code == 4
    assert "only 1 to 2" in ran.err


@pytest.mark.parametrize("statement", ["DROP TABLE masks", "SELECT nothing FROM masks", "SELEC 1", ""])
def test_a_statement_that_cannot_be_answered_ends_with_4(
    statement: str, labelled: str, capsys: Captured
) -> None:
    ran = invoke(capsys, "sql", labelled, statement)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("maskmill: ")


def test_a_report_is_written_and_its_version_told(labelled: str, tmp_path: Path, capsys: Captured) -> None:
    page = tmp_path / "page.html"
    ran = invoke(
        capsys, "report", labelled, "--out", str(page), "--version", "1", "--pictures", "3", "--json"
    )
    assert ran.code == 0
    assert ran.summary == {
        "catalog": labelled,
        "version": 1,
        "report": str(page),
        "seconds": ran.summary["seconds"],
    }
    assert page.read_text("utf-8").startswith("<!doctype html>")


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


def test_segmenters_are_listed(capsys: Captured) -> None:
    listed = json.loads(invoke(capsys, "segmenters", "--json").out)
    assert [card["name"] for card in listed] == list(registered())
    assert all(name in invoke(capsys, "segmenters").out for name in registered())
    page = invoke(capsys, "segmenters", "clip-diy").out
    assert "patch_sizes = (256, 128, 64)" in page
    assert "MIT" in page


def test_an_option_that_a_segmenter_does_not_have_is_refused(capsys: Captured, tmp_path: Path) -> None:
    asked = ("label", str(tmp_path), "--catalog", str(tmp_path / "c"), "--vocabulary", "demo")
    unknown, torn = (invoke(capsys, *asked, "--option", given) for given in ("sides=3", "sides"))
    assert (unknown.code, torn.code) == (2, 2)
    assert "options.sides: no such field" in unknown.err
    assert "'sides' is not NAME=VALUE" in torn.err


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["maskmill.catalogs.query"], "query", interrupted)
    ran = invoke(capsys, "sql", "x", "SELECT 1")
    assert ran.code == 130
    assert "run the same command" in ran.err


@pytest.mark.parametrize("rows", ["1", "100000"])
def test_a_reader_that_has_seen_enough_is_no_error(rows: str, labelled: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from maskmill.flows.cli import main; main()"]
    env = {k: v for k, v in environment(tmp_path).items() if k != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*command, "sql", labelled, f"FROM range({rows})"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=env,
        text=True,
        timeout=120,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_without_a_server_a_flow_starts_its_own_and_an_error_is_one_line(tmp_path: Path) -> None:
    ran = spawn(tmp_path, "filter", "nowhere", "--catalog", "catalog", "--entities", "demo", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("maskmill: no corpus at ")
    assert len(ran.err.splitlines()) == 1


def test_settings_of_the_user_stay(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom maskmill.flows.cli import main\n"
        "try: main(['--version'])\nexcept SystemExit: print(os.environ['RAY_USAGE_STATS_ENABLED'])"
    )
    env = environment(tmp_path, RAY_USAGE_STATS_ENABLED="1")
    assert ENVIRONMENT["RAY_USAGE_STATS_ENABLED"] == "0"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split()[-1] == "1"


def test_a_server_that_does_not_start_is_one_line_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def no_server(*_: object) -> None:
        raise RuntimeError("Timed out while attempting to connect to ephemeral Prefect API server.")

    monkeypatch.setattr(filter_module, "filter_captions", no_server)
    ran = invoke(capsys, "filter", "x", "--catalog", "y")
    assert ran.code == 1
    assert "PREFECT_HOME" in ran.err
    assert "PREFECT_API_URL" in ran.err
    assert "Traceback" not in ran.err


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
