from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from maskmill.catalogs.exporters import lock
from maskmill.catalogs.exporters.lock import LOCK, Holder, locked
from maskmill.schemas.errors import ConfigError

HOLD = """
import sys, time
from pathlib import Path
from maskmill.catalogs.exporters.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
# Waits for its turn; two at once would find each other's mark.
TURN = """
import sys, time
from pathlib import Path
from maskmill.catalogs.exporters.lock import locked
from maskmill.schemas.errors import ConfigError
folder, turns, end = Path(sys.argv[1]), 0, time.monotonic() + 60
while turns < 20 and time.monotonic() < end:
    try:
        with locked(folder):
            with (folder / "mark").open("x"):
                time.sleep(0.001)
            (folder / "mark").unlink()
            turns += 1
    except ConfigError:
        time.sleep(0.002)
print(turns)
"""


def _spawn(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)


def _leave(folder: Path, holder: Holder) -> None:
    folder.mkdir(exist_ok=True)
    (folder / LOCK).write_text(json.dumps(asdict(holder)), "utf-8")


def test_a_second_process_is_told_who_is_there_until_it_is_gone(tmp_path: Path) -> None:
    with _spawn(HOLD, str(tmp_path / "out"), "60") as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        there = rf"process {other.pid} on {platform.node()} is exporting to"
        with pytest.raises(ConfigError, match=there), locked(tmp_path / "out"):
            raise AssertionError("both are in")
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (tmp_path / "out" / LOCK).exists()
    with locked(tmp_path / "out"):
        assert json.loads((tmp_path / "out" / LOCK).read_text())["pid"] == os.getpid()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="only /proc tells a dead child from a living"
)
def test_a_process_that_was_killed_and_not_yet_collected_is_gone(tmp_path: Path) -> None:
    with _spawn(HOLD, str(tmp_path), "60") as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        other.kill()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                with locked(tmp_path):
                    break
            except ConfigError:
                time.sleep(0.01)
        else:
            pytest.fail("a zombie holds the lock")


def test_the_lock_goes_whatever_happens_inside(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_one_process_has_one_export_in_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(ConfigError, match=f"process {os.getpid()}"), locked(tmp_path):
        raise AssertionError("both are in")
    with locked(tmp_path):
        pass


def test_who_is_gone_and_who_may_be_there() -> None:
    me = Holder.me()
    assert not me.is_gone()
    assert not replace(me, host="elsewhere", pid=2**22 + 1).is_gone()
    assert replace(me, pid=2**22 + 1).is_gone()
    assert replace(me, boot="an earlier one").is_gone()
    assert not replace(me, namespace="a container's", pid=2**22 + 1).is_gone()
    assert not replace(me, born="").is_gone()
    if me.born:
        assert replace(me, born="long ago").is_gone()  # its number went to another process


def test_without_proc_a_process_that_answers_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_BOOT", Path("/nowhere"))
    monkeypatch.setattr(lock, "_NAMESPACE", Path("/nowhere"))
    monkeypatch.setattr(lock, "_PROCESSES", Path("/nowhere"))
    me = Holder.me()
    assert (me.boot, me.namespace, me.born) == ("", "", "")
    assert not me.is_gone()
    assert replace(me, pid=2**22 + 1).is_gone()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_lock_that_is_none_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_file_system_without_links_has_locks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    with locked(tmp_path), pytest.raises(ConfigError), locked(tmp_path):
        raise AssertionError("both are in")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_another_took_meanwhile_is_put_back(tmp_path: Path) -> None:
    gone, other = replace(Holder.me(), pid=2**22 + 1), Holder.me()
    _leave(tmp_path, other)
    lock._sweep(tmp_path / LOCK, gone)
    assert json.loads((tmp_path / LOCK).read_text()) == asdict(other)
    lock._sweep(tmp_path / LOCK, other)
    assert list(tmp_path.iterdir()) == []


def test_of_many_processes_one_is_in_at_a_time(tmp_path: Path) -> None:
    _leave(tmp_path, replace(Holder.me(), pid=2**22 + 1))
    running = [_spawn(TURN, str(tmp_path)) for _ in range(2)]
    assert [process.communicate(timeout=90)[0] for process in running] == ["20\n"] * 2
    assert list(tmp_path.iterdir()) == []
