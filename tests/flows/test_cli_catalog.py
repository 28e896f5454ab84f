"""The commands on a catalog itself, on a catalog of two label runs."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from command_line import invoke

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def catalog(labelled: str, tmp_path: Path) -> str:
    """A copy that may be changed."""
    return str(shutil.copytree(labelled, tmp_path / "catalog"))


@pytest.mark.parametrize("command", ["info", "history", "verify"])
def test_what_is_found_is_a_table_for_people_and_json_for_others(
    command: str, catalog: str, capsys: Captured
) -> None:
    told = invoke(capsys, "catalog", command, catalog)
    assert told.code == 0
    assert told.out.strip()
    found = invoke(capsys, "catalog", command, catalog, "--json")
    assert isinstance(json.loads(found.out)["rows"], list)


def test_info_counts_what_sql_counts(catalog: str, capsys: Captured) -> None:
    found = json.loads(invoke(capsys, "catalog", "info", catalog, "--json").out)
    counted = {row["table"]: row["rows"] for row in found["rows"]}
    answer = invoke(capsys, "sql", catalog, "SELECT count(*) AS n FROM masks", "--format", "json")
    assert json.loads(answer.out) == [{"n": counted["masks"]}]


def test_versions_are_compared(catalog: str, capsys: Captured) -> None:
    found = json.loads(invoke(capsys, "catalog", "diff", catalog, "1", "2", "--json").out)
    assert (found["first"], found["second"]) == (1, 2)
    assert found["images_added"] == 12


def test_a_tag_names_a_version_and_is_not_moved_silently(catalog: str, capsys: Captured) -> None:
    assert invoke(capsys, "catalog", "tag", catalog, "paper", "--version", "1").code == 0
    again = invoke(capsys, "catalog", "tag", catalog, "paper", "--version", "2")
    assert again.code == 4
    assert "paper" in again.err
    tagged = json.loads(invoke(capsys, "catalog", "info", catalog, "--version", "paper", "--json").out)
    assert (tagged["version"], tagged["tags"]) == (1, ["paper"])
    assert invoke(capsys, "catalog", "untag", catalog, "paper").code == 0


def test_damage_is_found_and_ends_with_4(catalog: str, capsys: Captured) -> None:
    file = sorted((Path(catalog) / "masks").rglob("*.parquet"))[0]
    body = bytearray(file.read_bytes())
    body[len(body) // 3] ^= 0xFF
    file.write_bytes(body)
    ran = invoke(capsys, "catalog", "verify", catalog)
    assert ran.code == 4
    assert file.name in ran.out


def test_compacting_keeps_what_is_read_and_vacuum_tells_before_it_deletes(
    catalog: str, capsys: Captured
) -> None:
    statement = ["sql", catalog, "SELECT label, area FROM masks ORDER BY ALL", "--format", "json"]
    before = invoke(capsys, *statement).out
    assert invoke(capsys, "catalog", "compact", catalog).code == 0
    assert invoke(capsys, *statement).out == before
    told = json.loads(invoke(capsys, "catalog", "vacuum", catalog, "--keep-days", "0", "--json").out)
    assert told["dry_run"] is True
    assert invoke(capsys, *statement, "--version", "1").code == 0


def test_the_script_answers_in_plain_duckdb(catalog: str, capsys: Captured) -> None:
    script = invoke(capsys, "catalog", "sql-script", catalog).out
    with duckdb.connect() as db:
        db.execute(script)
        assert db.execute("SELECT count(*) FROM masks").fetchone() != (0,)


def test_the_script_goes_to_a_file_and_says_where_it_cannot(
    catalog: str, tmp_path: Path, capsys: Captured
) -> None:
    script = ["catalog", "sql-script", catalog]
    file = tmp_path / "views.sql"
    ran = invoke(capsys, *script, "--out", str(file))
    assert (ran.code, ran.out) == (0, "")
    assert file.read_text("utf-8") == invoke(capsys, *script).out
    for place in (tmp_path / "missing" / "views.sql", tmp_path):
        refused = invoke(capsys, *script, "--out", str(place))
        assert refused.code == 2
        assert refused.err.startswith(f"maskmill: cannot write {str(place)!r}: ")


def test_an_export_is_written_once(catalog: str, tmp_path: Path, capsys: Captured) -> None:
    flags = ["export", catalog, "--format", "coco", "--out", str(tmp_path / "coco"), "--json"]
    ran = invoke(capsys, *flags)
    assert ran.code == 0
    assert ran.summary["images"] == 12
    assert invoke(capsys, *flags).summary == {**ran.summary, "seconds": pytest.approx(0, abs=30)}


def test_corrections_come_back_as_a_run(catalog: str, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "coco"
    assert invoke(capsys, "export", catalog, "--format", "coco", "--out", str(out), "--masks-only").code == 0
    (file,) = (found for found in out.rglob("*.json") if found.name != "export.json")
    ran = invoke(capsys, "review", "import", catalog, str(file), "--json")
    assert ran.code == 0
    assert ran.summary["images"] == 12
    again = invoke(capsys, "review", "import", catalog, str(file))
    assert "in the catalog already" in again.out


def test_the_history_is_read_by_people_and_by_programs(catalog: str, capsys: Captured) -> None:
    assert invoke(capsys, "catalog", "tag", catalog, "paper", "--version", "1").code == 0
    rows = json.loads(invoke(capsys, "catalog", "history", catalog, "--json").out)["rows"]
    assert rows[0]["counts"]["images"] > 0
    assert rows[0]["tags"] == ["paper"]
    when = datetime.fromisoformat(rows[0]["at"])
    line = invoke(capsys, "catalog", "history", catalog).out.splitlines()[2]
    assert when.isoformat(" ", "seconds") in line
    assert f"images {rows[0]['counts']['images']}" in line
    assert line.endswith("paper")
