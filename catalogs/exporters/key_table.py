"""``keys.jsonl``: which image of the corpus every file of an export belongs to.

File names are made for all systems and programs, keys are whatever a corpus has: paths, sentences, emoji. So
a line ``{"name": "train/00000/a_b~0123456789abcdef", "key": "a/b"}`` says for every image what its files are
called below their folders, without suffixes, and what its key is. A review finds the images by it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from .folder import ExportFolder
from .json_lines import lines_of
from .records import ExportRecord

KEYS = "keys.jsonl"


class KeyTable:
    """Writes the lines of a shard after the other, and puts them together at the end."""

    def __init__(self, folder: ExportFolder) -> None:
        self._folder = folder

    @contextmanager
    def of_shard(self, shard_id: str) -> Iterator[IO[str]]:
        """Open the lines of a shard, anew where an interrupted call has begun them."""
        with self._folder.part(_part(shard_id)).open("w", encoding="utf-8", newline="\n") as file:
            yield file

    def finish(self, shards: Sequence[str]) -> None:
        with self._folder.whole(KEYS) as file:
            for shard in shards:
                file.writelines(f"{line}\n" for line in lines_of(self._folder.part(_part(shard))))


def key_line(record: ExportRecord) -> str:
    """Return the line of an image."""
    name = f"{record.split}/{record.shard_id}/{record.stem}"
    return json.dumps({"name": name, "key": record.key}, ensure_ascii=False) + "\n"


def _part(shard_id: str) -> str:
    return f"{shard_id}.{KEYS}"
