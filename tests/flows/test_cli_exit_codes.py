"""With which exit code a command ends that cannot do its work, and the one line that says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import invoke
from fake_segmenter import FAKE

from maskmill.flows import filter as filter_module
from maskmill.models.segmenters import registered
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.vocabulary import shipped_vocabularies

pytestmark = pytest.mark.usefixtures("wide")

Captured = pytest.CaptureFixture[str]


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
def test_an_option_that_a_segmenter_does_not_have_is_refused(capsys: Captured, tmp_path: Path) -> None:
    asked = ("label", str(tmp_path), "--catalog", str(tmp_path / "c"), "--vocabulary", "demo")
    unknown, torn = (invoke(capsys, *asked, "--option", given) for given in ("sides=3", "sides"))
    assert (unknown.code, torn.code) == (2, 2)
    assert "options.sides: no such field" in unknown.err
    assert "'sides' is not NAME=VALUE" in torn.err


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


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["maskmill.catalogs.query"], "query", interrupted)
    ran = invoke(capsys, "sql", "x", "SELECT 1")
    assert ran.code == 130
    assert "run the same command" in ran.err


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
