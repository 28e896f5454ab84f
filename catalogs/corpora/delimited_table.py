"""How a file of delimited text is laid out, found from its name and its first lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from ...schemas.errors import CorpusError
from .columns import CAPTION_NAMES, IMAGE_NAMES, KEY_NAMES, Columns, usual_column
from .delimited_lines import Fault, Quoting, records
from .image_files import is_web

HEAD_LINES = 100
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")


@dataclass(frozen=True)
class Table:
    """A layout: ``fields`` in each line, and which of them (from 0) hold key, captions and image.

    ``line_bytes`` is the mean length of the first lines; ``web`` whether all their images are web addresses.
    """

    delimiter: str
    quoting: Quoting
    header: bool
    fields: int
    key: int | None
    captions: tuple[int, ...]
    image: int | None
    line_bytes: float
    web: bool


def find_table(uri: str, head: Sequence[bytes], columns: Columns) -> Table:
    """Find out how a file is laid out.

    A ``.csv`` is separated by commas and quoted; a ``.tsv`` by tabs, and quoted only if it has a header;
    other files by tabs if their first line has one. The first line is a header if it has all the column
    names that are wanted, or without any a usual name of captions. A file of two columns without a header,
    such as those of CC3M and CC12M, has its images in the one with more URLs.

    Args:
        head: the first lines, up to ``HEAD_LINES``.

    Raises:
        CorpusError: the file is empty, or the columns are neither named nor found.
    """
    if not any(line.strip() for line in head):
        raise CorpusError(f"{uri!r} is empty")
    delimiter = _delimiter(uri, head[0])
    quoting = Quoting.STRICT if delimiter == "," else Quoting.LENIENT
    rows = _rows(head, delimiter, quoting)
    header = bool(rows) and _is_header(rows[0], columns)
    if not header and quoting is Quoting.LENIENT:
        quoting = Quoting.NONE
        rows = _rows(head, delimiter, quoting)
    if not rows:
        raise CorpusError(f"none of the first {len(head)} lines of {uri!r} can be read as delimited text")
    names = [name.strip() for name in rows[0]] if header else []
    body = rows[1:] if header else rows
    fields = len(names) if header else Counter(map(len, rows)).most_common(1)[0][0]
    same = [row for row in body if len(row) == fields]
    key, captions, image = _named(names, fields, columns, uri) if header else _guessed(same, columns, uri)
    if key is None and image is None:
        raise CorpusError(f"neither a key nor an image column in {uri!r}; its columns are {', '.join(names)}")
    mean = sum(map(len, head)) / len(head)
    web = image is None or all(is_web(row[image]) for row in same)
    return Table(delimiter, quoting, header, fields, key, captions, image, mean, web)


def _delimiter(uri: str, line: bytes) -> str:
    suffix = uri.lower().rpartition(".")[2]
    if suffix in ("csv", "tsv"):
        return "," if suffix == "csv" else "\t"
    return "\t" if b"\t" in line else ","


def _rows(head: Sequence[bytes], delimiter: str, quoting: Quoting) -> list[list[str]]:
    found = records(BytesIO(b"".join(head)), 0, None, delimiter, quoting)
    return [fields for _, fields in found if not isinstance(fields, Fault)]


def _is_header(row: Sequence[str], columns: Columns) -> bool:
    names = [name.strip() for name in row]
    wanted = [name for name in (columns.key, *columns.captions, columns.image) if name]
    if any(not name.isdecimal() for name in wanted):
        return all(name in names or name.isdecimal() for name in wanted)
    return usual_column(names, CAPTION_NAMES, lambda _: True) is not None


Places = tuple[int | None, tuple[int, ...], int | None]


def _named(names: list[str], fields: int, columns: Columns, uri: str) -> Places:
    def usual(known: tuple[str, ...]) -> int | None:
        name = usual_column(names, known, lambda _: True)
        return None if name is None else names.index(name)

    caption = usual(CAPTION_NAMES)
    captions = tuple(_place(name, names, fields, uri) for name in columns.captions)
    return (
        usual(KEY_NAMES) if columns.key is None else _place(columns.key, names, fields, uri),
        captions or (() if caption is None else (caption,)),
        usual(IMAGE_NAMES) if columns.image is None else _place(columns.image, names, fields, uri),
    )


def _guessed(rows: Sequence[Sequence[str]], columns: Columns, uri: str) -> Places:
    fields = len(rows[0])
    key = None if columns.key is None else _place(columns.key, [], fields, uri)
    captions = tuple(_place(name, [], fields, uri) for name in columns.captions)
    image = None if columns.image is None else _place(columns.image, [], fields, uri)
    if captions and (key is not None or image is not None):
        return key, captions, image
    urls = [sum(bool(_URL.fullmatch(row[place])) for row in rows) for place in range(fields)]
    if fields != 2 or urls[0] == urls[1]:
        raise CorpusError(
            f"no header in {uri!r} with a column of captions, and its {fields} columns are not a caption "
            "and a URL; name caption_columns and image_column or key_column, by number ('0' is the first) or "
            "by name"
        )
    found = urls.index(max(urls)) if image is None else image
    return key, captions or (1 - found,), found


def _place(name: str, names: Sequence[str], fields: int, uri: str) -> int:
    if names.count(name) == 1:
        return names.index(name)
    if name.isdecimal() and int(name) < fields:
        return int(name)
    there = f"columns {', '.join(names)[:400]}" if names else f"{fields} columns and no header with that name"
    raise CorpusError(f"no column {name!r} in {uri!r}, which has {there}")
