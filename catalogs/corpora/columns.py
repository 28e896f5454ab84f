"""Which columns of a table hold keys, captions and images."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...schemas.errors import CorpusError

KEY_NAMES = ("key", "image_id", "id")
CAPTION_NAMES = ("caption", "captions", "text")
IMAGE_NAMES = ("image", "jpg", "bytes", "image_path", "path", "file_name", "filename", "image_url", "url")
_EXTENSION = re.compile(r"(?<=[^/])\.[^./]+\Z")


@dataclass(frozen=True)
class Columns:
    """Names of columns; those left out are found by the usual names, of any case."""

    key: str | None = None
    captions: tuple[str, ...] = ()
    image: str | None = None

    @property
    def mark(self) -> str:
        """What a shard's fingerprint says of them: other columns are other content."""
        if self == USUAL:
            return ""
        body = json.dumps([self.key, self.captions, self.image])
        return f"-{hashlib.sha256(body.encode()).hexdigest()[:8]}"


USUAL = Columns()


def named_column(names: Sequence[str], name: str, uri: str) -> str:
    """Return a column that the configuration names.

    Raises:
        CorpusError: the table has none of that name, or several.
    """
    if names.count(name) != 1:
        there = "no column" if name not in names else "more than one column"
        raise CorpusError(f"{there} {name!r} in {uri!r}; its columns are {', '.join(names)[:400]}")
    return name


def usual_column(names: Sequence[str], usual: Sequence[str], fits: Callable[[str], bool]) -> str | None:
    """Return the first of the usual names that a table has once and whose column fits; None without one."""
    for wanted in usual:
        found = [name for name in names if name.lower() == wanted]
        exact = [wanted] if wanted in found else found
        if len(exact) == 1 and names.count(exact[0]) == 1 and fits(exact[0]):
            return exact[0]
    return None


def image_key(name: str) -> str:
    """Return the key of a sample that has none of its own: its URL, or its path without the extension."""
    return name if "://" in name else _EXTENSION.sub("", name)
