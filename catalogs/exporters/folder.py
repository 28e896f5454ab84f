"""The folder of an export while it is being written, and how an interrupted export goes on.

``.parts/plan.json`` says which export the folder is for; ``.parts/SHARD.done`` says that a shard is written,
with its counts; what a format puts together at the end lies in ``.parts`` until then. ``export.json`` is
written last: with it the export is finished, and ``.parts`` goes. ``.export.lock`` says which process is at
work.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from ...schemas.errors import ConfigError
from ..storage import put_file
from .lock import LOCK, locked

MANIFEST = "export.json"
_PARTS = ".parts"
_PLAN = "plan.json"
_DONE = ".done"


class ExportFolder:
    """A local folder that one export owns.

    Args:
        out: is made where it is missing.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.parts = out / _PARTS

    def manifest(self) -> dict[str, Any] | None:
        """Return ``export.json`` of a finished export, None where there is none."""
        return _read(self.out / MANIFEST)

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes out, which would write the same files.

        Raises:
            ConfigError: another is at work.
        """
        return locked(self.out)

    def claim(self, plan: Mapping[str, Any]) -> None:
        """Take the folder for an export, or go on with the same one.

        Raises:
            ConfigError: it holds another export, or other files.
        """
        known = _read(self.parts / _PLAN)
        if known is not None and known != plan:
            changed = ", ".join(sorted(k for k in plan if known.get(k) != plan[k]))
            raise ConfigError(
                f"{str(self.out)!r} holds an unfinished export with another {changed}: give that again to go "
                "on, or give another folder"
            )
        foreign = self._foreign() if known is None else []
        if foreign:
            raise ConfigError(f"{str(self.out)!r} holds {min(foreign)!r}: give a new or an empty folder")
        if known is None:
            put_file(str(self.parts / _PLAN), json.dumps(plan).encode())

    def done(self, shard_id: str) -> dict[str, int] | None:
        """Return the counts of a shard that is written, else None."""
        return _read(self.parts / f"{shard_id}{_DONE}")

    def mark_done(self, shard_id: str, counts: Mapping[str, int]) -> None:
        put_file(str(self.parts / f"{shard_id}{_DONE}"), json.dumps(counts, sort_keys=True).encode())

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file of a shard; one cut short is written again with its shard."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def part(self, name: str) -> Path:
        """Return where a part lies until it is put in its place."""
        return self.parts / name

    def place(self, part: str, name: str) -> None:
        """Move a part to its final name; one that an interrupted call has moved stays there."""
        target = self.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.part(part).exists():
            self.part(part).replace(target)

    @contextmanager
    def whole(self, name: str) -> Iterator[IO[str]]:
        """Open a text file that appears under its name when it is complete."""
        draft, target = self.part(Path(name).name), self.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        draft.replace(target)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write ``export.json``, with which the export is finished."""
        put_file(str(self.out / MANIFEST), (json.dumps(manifest, indent=2) + "\n").encode())
        self.clean()

    def clean(self) -> None:
        """Drop what was kept for going on, and drafts of ``export.json`` that a killed process has left."""
        shutil.rmtree(self.parts, ignore_errors=True)
        for draft in self.out.glob(f".{MANIFEST}.*.part"):
            draft.unlink(missing_ok=True)

    def _foreign(self) -> list[str]:
        """Return the names of what no export has put here."""
        if not self.out.is_dir():
            return []
        names = [path.name for path in self.out.iterdir()]
        return [name for name in names if name != _PARTS and not name.startswith(LOCK)]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as err:
        raise ConfigError(f"{str(path)!r} is damaged: give another folder") from err
    return body
