"""The commands that only read: ``sql``, ``report`` and ``segmenters``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from command_line import invoke

from maskmill.catalogs.query import query
from maskmill.models.segmenters import registered

pytestmark = pytest.mark.usefixtures("wide")

Captured = pytest.CaptureFixture[str]
COUNT = "SELECT label, count(*) AS masks FROM masks GROUP BY label"


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


def test_segmenters_are_listed(capsys: Captured) -> None:
    listed = json.loads(invoke(capsys, "segmenters", "--json").out)
    assert [card["name"] for card in listed] == list(registered())
    assert all(name in invoke(capsys, "segmenters").out for name in registered())
    page = invoke(capsys, "segmenters", "clip-diy").out
    assert "patch_sizes = (256, 128, 64)" in page
    assert "MIT" in page
