"""What the command line makes of places, names and statements that would do harm: exit code and one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import invoke
from sql_catalog import fill, image, mask, publish

from maskmill.catalogs.store import Catalog

Captured = pytest.CaptureFixture[str]
LABEL = 'it\'s "a"\n; DROP VIEW masks; -- [bold]x[/bold] ü🦓'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fill(Catalog.create_or_open(str(tmp_path_factory.mktemp("it's [red]a place") / "c"))).uri


COMMANDS = [
    ("sql", "PLACE", "SELECT 1"),
    ("catalog", "info", "PLACE"),
    ("catalog", "history", "PLACE"),
    ("catalog", "verify", "PLACE"),
    ("catalog", "compact", "PLACE"),
    ("catalog", "vacuum", "PLACE"),
    ("catalog", "tag", "PLACE", "t"),
    ("catalog", "sql-script", "PLACE"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[:2]))
@pytest.mark.parametrize("place", ["file", "other", "missing", "a?b"])
def test_what_is_no_catalog_is_code_4_and_one_line(
    tmp_path: Path, capsys: Captured, command: tuple[str, ...], place: str
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    given = [str(tmp_path / place) if word == "PLACE" else word for word in command]
    ran = invoke(capsys, *given)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("maskmill: ")
    assert ran.err.count("\n") == 1
    assert str(tmp_path) in ran.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "other", "thesis.tex"]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW masks",
        "SELECT 1; DROP VIEW masks",
        "ATTACH '/tmp/x.db' AS x",
        "INSTALL httpfs",
        "COPY masks TO 'OUT'",
        "WITH x AS (COPY masks TO 'OUT') SELECT 1",
        "FROM read_text('/etc/passwd')",
        "FROM no_such_table",
        "SELEC 1",
        "SELECT '\udce9'",
        "",
    ],
)
def test_a_statement_that_does_not_merely_read_is_code_4(
    filled: str, tmp_path: Path, capsys: Captured, statement: str
) -> None:
    ran = invoke(capsys, "sql", filled, statement.replace("OUT", f"{filled}/out.csv".replace("'", "''")))
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("maskmill: ")
    assert "Traceback" not in ran.err
    assert not Path(filled, "out.csv").exists()


@pytest.mark.parametrize("version", ["99", "0", "-1", "no-tag", "1'; DROP", "../../etc"])
def test_a_version_that_is_not_there_is_code_4(filled: str, capsys: Captured, version: str) -> None:
    ran = invoke(capsys, "sql", filled, "SELECT 1", f"--version={version}")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.count("\n") == 1


def test_a_place_and_a_label_full_of_signs_are_shown_as_they_are(tmp_path: Path, capsys: Captured) -> None:
    catalog = Catalog.create_or_open(f"{tmp_path}/it's [red]a 50% place/#c")
    drawn = [mask("a", LABEL, (0, 0, 9, 9), 0.5)]
    publish(catalog, "label-1", 1, {"images": [image("a", 1)], "masks": drawn})
    ran = invoke(capsys, "sql", catalog.uri, "SELECT label FROM latest_masks", "--format", "json")
    assert (ran.code, json.loads(ran.out)) == (0, [{"label": LABEL}])
    for form in ("table", "csv"):
        shown = invoke(capsys, "sql", catalog.uri, "FROM class_stats", "--format", form)
        assert shown.code == 0
        assert "[bold]x[/bold] ü🦓" in shown.out
    assert invoke(capsys, "catalog", "info", catalog.uri).out.startswith("catalog")
    assert catalog.uri in invoke(capsys, "catalog", "info", catalog.uri).out
    assert json.loads(invoke(capsys, "catalog", "info", catalog.uri, "--json").out)["catalog"] == catalog.uri
