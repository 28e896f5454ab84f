"""The table of an export that says whose files its files are, read back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Self

from ...schemas.errors import CorpusError
from .base import is_key


class KeyTable:
    """Which key every file of an export belongs to; see ``exporters.key_table``.

    Args:
        keys: the path of a file below its folder, without suffixes -> key.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._endings: dict[str, list[str]] = defaultdict(list)
        for name in keys:
            self._endings[name.rpartition("/")[2]].append(name)

    @classmethod
    def parse(cls, uri: str, data: bytes) -> Self:
        """Read ``keys.jsonl``.

        Raises:
            CorpusError: a line is no JSON object with a name and a key, or a name stands there twice.
        """
        keys: dict[str, str] = {}
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                name, key = _entry(uri, number, line)
                if keys.setdefault(name, key) != key:
                    raise CorpusError(f"{uri!r}, line {number}: {name!r} stands for another key already")
        return cls(keys)

    def key_of(self, name: str) -> str | None:
        """Return the key of a file by its path, or by the end of it where that is clear; else None."""
        if name in self._keys:
            return self._keys[name]
        longer = [
            full for full in self._endings.get(name.rpartition("/")[2], ()) if full.endswith(f"/{name}")
        ]
        return self._keys[longer[0]] if len(longer) == 1 else None


def _entry(uri: str, number: int, line: bytes) -> tuple[str, str]:
    try:
        entry = json.loads(line)
        name, key = entry["name"], entry["key"]
    except (KeyError, TypeError, ValueError) as err:
        raise CorpusError(f"{uri!r}, line {number} has no name and key: {line[:80]!r}") from err
    if not isinstance(name, str) or not is_key(key):
        raise CorpusError(f"{uri!r}, line {number} has no name and key: {line[:80]!r}")
    return name, key
