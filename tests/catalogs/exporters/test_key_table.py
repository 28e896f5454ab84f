from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskmill.catalogs.exporters.folder import ExportFolder
from maskmill.catalogs.exporters.key_table import KeyTable, key_line
from maskmill.catalogs.exporters.records import ExportRecord

KEYS = ["0001", "a/b", "..", "a\nb", "ü 🐈\u2028", 'q"', "x" * 300]


def _record(key: str) -> ExportRecord:
    return ExportRecord(key, "id", "00000", 20, 10, "val", None, (), ())


@pytest.mark.parametrize("key", KEYS)
def test_a_line_names_the_files_and_the_key(key: str) -> None:
    line = key_line(_record(key))
    assert line.count("\n") == 1 and line.endswith("\n")
    assert json.loads(line) == {"name": f"val/00000/{_record(key).stem}", "key": key}


def test_shards_follow_one_another_and_one_begun_is_written_again(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path)
    folder.claim({})
    table = KeyTable(folder)
    for shard, keys in (("b", KEYS[4:]), ("a", ["cut short"]), ("a", KEYS[:4])):
        with table.of_shard(shard) as file:
            file.writelines(key_line(_record(key)) for key in keys)
    table.finish(["a", "b"])
    lines = (tmp_path / "keys.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line)["key"] for line in lines] == KEYS
