"""Run ``maskmill`` in this process or in one of its own, and keep what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maskmill.flows.cli import (  # noqa: F401  (importing registers the commands)
    commands_catalog,
    commands_exchange,
    commands_probe,
    commands_read,
    commands_run,
    commands_segment,
)
from maskmill.flows.cli.app import run

SUPPORT = Path(__file__).parent


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The one JSON object on stdout; anything else there is an error."""
        (line,) = self.out.splitlines()
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


def invoke(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run a command in this process; a wrong flag leaves through ``SystemExit``."""
    capsys.readouterr()
    try:
        code = run(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    written = capsys.readouterr()
    return Ran(code, written.out, written.err)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which Prefect, NLTK and the model hubs know nothing but ``home``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RAY_", "HF_", "COLUMNS"))}
    alone = {"HOME": str(home), "PREFECT_HOME": str(home / ".prefect"), "PYTHONPATH": str(SUPPORT)}
    return {**kept, **alone, **more}


def spawn(home: Path, *arguments: str, timeout: float = 240, **more: str) -> Ran:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from maskmill.flows.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(home, **more),
        cwd=home,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
