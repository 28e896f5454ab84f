"""What the command line is given: its commands and their help, flags and configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import invoke

from maskmill.flows import demo as demo_module
from maskmill.flows.cli.app import app
from maskmill.schemas.config import LabelConfig, TrainConfig
from maskmill.schemas.demo_config import DemoConfig

pytestmark = pytest.mark.usefixtures("wide")

Captured = pytest.CaptureFixture[str]
COMMANDS = sorted(name for name in app if not name.startswith("-"))


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


LABEL, TRAIN, DEMO = LabelConfig(), TrainConfig(), DemoConfig()


@pytest.mark.parametrize(
    ("command", "flag", "default"),
    [
        ("label", "--segmenter", LABEL.segmenter.id),
        ("label", "--clip", LABEL.segmenter.clip),
        ("label", "--objectness", LABEL.segmenter.objectness),
        ("label", "--device", LABEL.segmenter.device),
        ("label", "--vocabulary", LABEL.vocabulary),
        ("label", "--backend", LABEL.pool.backend),
        ("filter", "--entities", LABEL.filter.entities),
        ("filter", "--top-k", LABEL.filter.top_k),
        ("train", "--encoder", TRAIN.encoder),
        ("train", "--steps", TRAIN.steps),
        ("train", "--device", TRAIN.device),
        ("demo", "--images", DEMO.images),
        ("demo", "--held-out", DEMO.held_out),
        ("demo", "--seed", DEMO.seed),
    ],
)
def test_help_tells_the_default(command: str, flag: str, default: object, capsys: Captured) -> None:
    text = " ".join(invoke(capsys, command, "--help").out.replace("│", " ").split())
    _, _, after = text.partition(f" {flag} ")
    told, _, _ = after.partition(" --")
    assert str(default) in told
    assert "default" in told.lower()


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
