from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from maskmill.catalogs.demo.tars import replace_file, tar_bytes


def test_members_are_sorted_and_carry_no_time_or_owner() -> None:
    packed = tar_bytes([("b.txt", b"2"), ("a.txt", b"1")])
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["a.txt", "b.txt"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}
    assert packed == tar_bytes([("a.txt", b"1"), ("b.txt", b"2")])


def test_a_file_is_replaced_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.bin"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    (target / "inside").write_bytes(b"")
    with pytest.raises(OSError):
        replace_file(target, b"data")
    assert list(tmp_path.iterdir()) == [target]
