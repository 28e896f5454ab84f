"""Large JSON put together from lines that were written shard by shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO


def write_array(file: IO[str], name: str, items: Iterable[str]) -> None:
    """Append ``, "NAME": [items]`` to an object that is being written, an item a line."""
    file.write(f',\n"{name}": [')
    for number, item in enumerate(items):
        file.write(f"{',' if number else ''}\n{item}")
    file.write("\n]")


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.removesuffix("\n")
