"""What docs/export.md tells people to run does run, in its order, on a small catalog."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from command_line import run

from maskmill.catalogs.exporters import ExportConfig
from maskmill.catalogs.exporters.config import Format
from maskmill.catalogs.exporters.key_table import key_line
from maskmill.catalogs.exporters.records import ExportRecord
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config_files import load_config

Block = tuple[str, str]

DOCS = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")
BLOCKS: list[Block] = re.findall(r"^```(\w+)\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines()]
SNIPPETS = [body for kind, body in BLOCKS if kind == "python"]
# One would train, the other asks for an older numpy than maskmill does.
ELSEWHERE = ("ultralytics", "panopticapi")


def _submit(folder: Path) -> None:
    """Do what a person does in Label Studio who takes every prediction as it is."""
    tasks = []
    for path in sorted((folder / "tasks" / "tasks").iterdir()):
        for task in json.loads(path.read_bytes()):
            result = task.pop("predictions")[0]["result"]
            tasks.append(task | {"annotations": [{"result": result, "completed_by": 1}]})
    (folder / "project.json").write_text(json.dumps(tasks), "utf-8")


@pytest.fixture(scope="module")
def folder(labelled: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A catalog and the TOML files of the docs, after all commands have run beside them."""
    here = tmp_path_factory.mktemp("docs")
    shutil.copytree(labelled, here / "catalog")
    for kind, body in BLOCKS:
        if kind == "toml":
            (here / body.splitlines()[0].removeprefix("# ")).write_text(body, "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(here)
        for command in COMMANDS:
            program, *arguments = shlex.split(command)
            assert program == "maskmill"
            if "project.json" in arguments:
                _submit(here)
            assert run([*arguments, "--quiet"]) == 0, command
        yield here


def test_the_commands_write_every_format_and_bring_corrections_back(folder: Path) -> None:
    written = {path.parent.name: json.loads(path.read_bytes()) for path in folder.glob("*/export.json")}
    assert {body["format"] for body in written.values()} == set(get_args(Format))
    assert written["corrected"]["counts"]["corrected"] == 12
    assert "corrected" not in written["coco"]["counts"]
    assert (folder / "city" / "gtFine" / "train").is_dir()
    kinds = [row["kind"] for row in Catalog.open(str(folder / "catalog")).runs()]
    assert kinds.count("review") == 3


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda body: body.splitlines()[0][:40])
def test_every_tool_opens_what_is_written(
    folder: Path, snippet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = compile(snippet, "docs/export.md", "exec")
    elsewhere = [name for name in ELSEWHERE if f"from {name}" in snippet]
    if elsewhere:
        pytest.skip(f"{elsewhere[0]} is no package of the tests; the snippet is compiled only")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other packages deprecate or leave open is not ours
        exec(code, {})


def test_every_option_is_told(folder: Path) -> None:
    told = set(re.findall(r"^\|[^|]*\| `(\w+)` \|", DOCS, re.MULTILINE))
    assert told == set(ExportConfig.model_fields)
    given = load_config(ExportConfig, folder / "export.toml", {"format": "coco"})
    assert (given.components, given.image_format, given.seed) == (True, "jpg", 7)


def test_the_name_in_the_text_is_that_of_its_key() -> None:
    record = ExportRecord("a/b", "id", "00000", 20, 10, "train", None, (), ())
    assert DOCS.count(record.stem) == DOCS.count("a_b~") == 2
    assert key_line(record).strip() in DOCS
