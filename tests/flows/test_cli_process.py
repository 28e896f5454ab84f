"""The command line as a process of its own: its pipe, its server, its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, spawn

from maskmill.flows.cli.app import ENVIRONMENT


@pytest.mark.parametrize("rows", ["1", "100000"])
def test_a_reader_that_has_seen_enough_is_no_error(rows: str, labelled: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from maskmill.flows.cli import main; main()"]
    env = {k: v for k, v in environment(tmp_path).items() if k != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*command, "sql", labelled, f"FROM range({rows})"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=env,
        text=True,
        timeout=120,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_without_a_server_a_flow_starts_its_own_and_an_error_is_one_line(tmp_path: Path) -> None:
    ran = spawn(tmp_path, "filter", "nowhere", "--catalog", "catalog", "--entities", "demo", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("maskmill: no corpus at ")
    assert len(ran.err.splitlines()) == 1


def test_settings_of_the_user_stay(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom maskmill.flows.cli import main\n"
        "try: main(['--version'])\nexcept SystemExit: print(os.environ['RAY_USAGE_STATS_ENABLED'])"
    )
    env = environment(tmp_path, RAY_USAGE_STATS_ENABLED="1")
    assert ENVIRONMENT["RAY_USAGE_STATS_ENABLED"] == "0"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split()[-1] == "1"
