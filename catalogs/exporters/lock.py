"""One process at a time in a folder: a file that says who is there, taken over where that process is gone."""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from ...schemas.errors import ConfigError

LOCK = ".export.lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """A process, told from every other.

    Args:
        host: name of the machine.
        boot, namespace: which start of it, and which of its process numberings (each container has one);
            empty where the system does not say.
        born: when the process began, in the system's words; empty where it does not say. A later process
            that got the same number began at another time.
        token: of this lock.
    """

    host: str
    pid: int
    boot: str
    namespace: str
    born: str
    token: str

    @classmethod
    def me(cls) -> Self:
        pid = os.getpid()
        return cls(platform.node(), pid, _boot(), _namespace(), _born(pid) or "", uuid.uuid4().hex)

    def is_gone(self) -> bool:
        """Tell whether the process has surely ended; of one on another machine nobody here can say."""
        if self.host != platform.node():
            return False
        if self.boot != _boot():
            return True
        if self.namespace != _namespace():
            return False
        born = _born(self.pid)
        return born is None or ("" not in (born, self.born) and born != self.born)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; one whose process was killed is taken over.

    Raises:
        ConfigError: another process holds it.
        OSError: the folder cannot be written.
    """
    path, me = folder / LOCK, Holder.me()
    folder.mkdir(parents=True, exist_ok=True)
    while not _create(path, me):
        held = _holder(path)
        if held is not None and not held.is_gone():
            raise ConfigError(
                f"process {held.pid} on {held.host} is exporting to {str(folder)!r}: wait for it, or give "
                f"another folder; if it has ended, remove {str(path)!r}"
            )
        _sweep(path, held)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _create(path: Path, me: Holder) -> bool:
    """Write a lock that appears whole, unless there is one."""
    body = json.dumps(asdict(me))
    draft = path.with_name(f"{path.name}.{me.token}")
    draft.write_text(body, "utf-8")
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:
        return _create_slowly(path, body)
    finally:
        draft.unlink()
    return True


def _create_slowly(path: Path, body: str) -> bool:
    """Do the same on a file system without links, where others may for a moment see an empty lock."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(body)
    except FileExistsError:
        return False
    return True


def _holder(path: Path) -> Holder | None:
    """Return whose lock it is, None where it is gone or is no lock."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        body: dict[str, Any] = json.loads(path.read_bytes())
        return Holder(**body)
    return None


def _sweep(path: Path, gone: Holder | None) -> None:
    """Remove the lock of a process that is gone, and no lock that another process took meanwhile."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        path.rename(aside)
        taken = _holder(aside)
        if taken is not None and taken != gone:
            with suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()


def _boot() -> str:
    with suppress(OSError):
        return _BOOT.read_text("ascii").strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return str(_NAMESPACE.readlink())
    return ""


def _born(pid: int) -> str | None:
    """Return when a process began, None where it has ended, an empty text where the system does not say."""
    try:
        stat = (_PROCESSES / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return "" if _answers(pid) else None
    # The second field is the program's name in parentheses, which may hold spaces and parentheses.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in ("Z", "X") else rest[18]


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
