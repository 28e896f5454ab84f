"""Lines of delimited text cut into fields; a line that cannot be cut costs nothing but itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import IO

_BLOCK = 1 << 20
_LONGEST_RECORD = 1000  # lines; an opened quote that is not closed by then was never meant as one


class Quoting(Enum):
    """What a quote at the beginning of a field means.

    NONE: itself. LENIENT: a quoted field where it is closed within its line, else itself. STRICT: a quoted
    field, which may go on over several lines (RFC 4180); what follows no such rule is broken.
    """

    NONE = "none"
    LENIENT = "lenient"
    STRICT = "strict"


@dataclass(frozen=True)
class Fault:
    """A line that is none: what is wrong with it."""

    detail: str


Record = tuple[int, list[str] | Fault]


class _OpenQuoteError(ValueError):
    """The quoted field goes on after the end of the text."""


def split_fields(text: str, delimiter: str) -> list[str]:
    """Cut a record of RFC 4180; a quote within a field that does not begin with one is itself.

    Raises:
        ValueError: a quote is not closed, or something follows the closing one.
    """
    if '"' not in text:
        return text.split(delimiter)
    field = _field(delimiter)
    fields: list[str] = []
    position = 0
    while match := field.match(text, position):
        quoted, plain, end = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        if not end:
            return fields
        position = match.end()
    if _OPEN.match(text, position):
        raise _OpenQuoteError("a quote is not closed")
    raise ValueError("something follows a closing quote")


_OPEN = re.compile(r'"(?:[^"]++|"")*+\Z')


@lru_cache
def _field(delimiter: str) -> re.Pattern[str]:
    sign = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"]++|"")*+)"|((?!")[^{sign}]*+))({sign}|\Z)')


def records(
    file: IO[bytes], first: int, last: int | None, delimiter: str, quoting: Quoting
) -> Iterator[Record]:
    """Yield number (from 1) and fields of the lines that begin at bytes ``first`` to ``last``.

    ``first`` and ``last`` may lie anywhere in the file: ranges that join up share out its lines. Lines end
    with a line feed, before which a carriage return is dropped; blank lines are passed over. A byte order
    mark at the beginning of the file is dropped.

    Raises:
        OSError: reading ``file`` fails.
    """
    numbered = enumerate(_lines(file, first, last), start=1)
    if quoting is Quoting.STRICT:
        yield from _strict(numbered, delimiter)
        return
    quoted = quoting is Quoting.LENIENT
    for number, line in numbered:
        if isinstance(line, Fault):
            yield number, line
        elif quoted and '"' in line:
            yield number, _lenient(line, delimiter)
        elif line:
            yield number, line.split(delimiter)


def _lenient(line: str, delimiter: str) -> list[str]:
    try:
        return split_fields(line, delimiter)
    except ValueError:
        return line.split(delimiter)


def _strict(numbered: Iterator[tuple[int, str | Fault]], delimiter: str) -> Iterator[Record]:
    """Join lines while a quote is open; where none closes it, its line is broken and the next ones stand."""
    waiting: list[tuple[int, str | Fault]] = []  # lines taken for a record that turned out to be none
    while (head := waiting.pop() if waiting else next(numbered, None)) is not None:
        number, line = head
        if isinstance(line, Fault):
            yield head[0], line
            continue
        try:
            if line:
                yield number, split_fields(line, delimiter)
        except _OpenQuoteError as err:
            fields, taken = _joined(line, waiting, numbered, delimiter)
            yield number, fields or Fault(str(err))
            if fields is None:
                waiting += reversed(taken)
        except ValueError as err:
            yield number, Fault(str(err))


def _joined(
    line: str,
    waiting: list[tuple[int, str | Fault]],
    numbered: Iterator[tuple[int, str | Fault]],
    delimiter: str,
) -> tuple[list[str] | None, list[tuple[int, str | Fault]]]:
    """Return the fields of a record that begins with ``line`` or None, and the lines taken after it."""
    taken: list[tuple[int, str | Fault]] = []
    parts = [line]
    while len(taken) < _LONGEST_RECORD:
        following = waiting.pop() if waiting else next(numbered, None)
        if following is None:
            break
        taken.append(following)
        if isinstance(following[1], Fault):
            break
        parts.append(following[1])
        if '"' in following[1]:
            try:
                return split_fields("\n".join(parts), delimiter), taken
            except _OpenQuoteError:
                continue
            except ValueError:
                break
    return None, taken


def _lines(file: IO[bytes], first: int, last: int | None) -> Iterator[str | Fault]:
    for block in line_blocks(file, first, last):
        body = block[:-1] if block.endswith(b"\n") else block
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is None or "\0" in text:
            yield from map(_checked, body.split(b"\n"))
        elif "\r" in text:
            yield from (line.removesuffix("\r") for line in text.split("\n"))
        else:
            yield from text.split("\n")


def _checked(line: bytes) -> str | Fault:
    if b"\0" in line:
        return Fault("there is a NUL in the line")
    try:
        return line.decode("utf-8").removesuffix("\r")
    except UnicodeDecodeError as err:
        return Fault(f"the line is not UTF-8 text: {err.reason} at byte {err.start}")


def line_blocks(file: IO[bytes], first: int, last: int | None) -> Iterator[bytes]:
    """Yield the lines that begin in [first, last), many at once."""
    if first:
        file.seek(first - 1)
        file.readline()
    position = file.tell()
    while last is None or position < last:
        block = file.read(_BLOCK if last is None else min(_BLOCK, last - position))
        if not block:
            return
        if not block.endswith(b"\n"):
            block += file.readline()
        yield block.removeprefix(b"\xef\xbb\xbf") if position == 0 else block
        position = file.tell()
