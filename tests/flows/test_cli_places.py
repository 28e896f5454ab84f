"""Outputs that cannot be written end with one line that names the place, not with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import invoke

from maskmill.flows import drawing

Captured = pytest.CaptureFixture[str]


def test_a_file_in_place_of_a_folder_to_write_is_named(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "file"
    out.write_text("x")
    ran = invoke(capsys, "demo-corpus", "--out", str(out), "--images", "1", "--held-out", "0", "--quiet")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"maskmill: {out}: File exists\n"
    assert out.read_text() == "x"


def test_a_fault_that_names_no_file_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise OSError("the device is gone")

    monkeypatch.setattr(drawing, "write_demo_corpus", broken)
    with pytest.raises(OSError, match="the device is gone"):
        invoke(capsys, "demo-corpus", "--out", str(tmp_path / "out"), "--quiet")
