from __future__ import annotations

import json

import pytest

from maskmill.catalogs.corrections.key_table import KeyTable
from maskmill.schemas.errors import CorpusError


def _table(**keys: str) -> KeyTable:
    lines = [json.dumps({"name": name, "key": key}) for name, key in keys.items()]
    return KeyTable.parse("keys.jsonl", "\n".join(lines).encode())


def test_a_name_or_the_end_of_one_has_a_key() -> None:
    table = _table(**{"train/0/a": "x/..", "val/0/a": "y", "train/1/b": "a\u2028b", "train/1/c b": ""})
    assert table.key_of("train/0/a") == "x/.."
    assert table.key_of("1/b") == table.key_of("b") == "a\u2028b"
    assert table.key_of("1/c b") == ""
    assert [table.key_of(name) for name in ("a", "0/a", "rain/0/a", "train/0/b", "")] == [None] * 5


def test_blank_lines_are_passed_over_and_repeated_ones_are_one() -> None:
    line = json.dumps({"name": "a", "key": "k"}).encode()
    assert KeyTable.parse("keys.jsonl", b"\n" + line + b"\r\n" + line + b"\n\n").key_of("a") == "k"


NONE = ["{", "[]", "3", '{"name": "a"}', '{"key": "a"}', '{"name": 1, "key": "a"}']
NONE += ['{"name": "a", "key": null}', r'{"name": "a", "key": "\ud83d"}', "\udcff"]


@pytest.mark.parametrize("line", NONE)
def test_a_line_that_is_none_is_named(line: str) -> None:
    data = b'{"name": "b", "key": "b"}\n' + line.encode("utf-8", "surrogateescape")
    with pytest.raises(CorpusError, match=r"'keys\.jsonl', line 2 has no name and key"):
        KeyTable.parse("keys.jsonl", data)


def test_a_name_with_two_keys_is_refused() -> None:
    lines = b'{"name": "a", "key": "b"}\n{"name": "a", "key": "c"}'
    with pytest.raises(CorpusError, match="line 2: 'a' stands for another key already"):
        KeyTable.parse("keys.jsonl", lines)
