"""The command line against a Prefect server of one's own, as in production."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import environment, spawn
from fake_segmenter import FAKE

from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig

pytestmark = pytest.mark.slow

STARTUP_SECONDS = 180.0
EVENT_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(api: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended by itself"
        try:
            if httpx.get(f"{api}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"no healthy server after {STARTUP_SECONDS:.0f} s")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server with a database of its own; yields the URL of its API."""
    home, port = tmp_path_factory.mktemp("server"), free_port()
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env=environment(home, PREFECT_SERVER_ANALYTICS_ENABLED="false"),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    api = f"http://127.0.0.1:{port}/api"
    try:
        wait_until_healthy(api, process)
        yield api
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def ask(api: str, what: str, **body: Any) -> Any:
    answer = httpx.post(f"{api}/{what}/filter", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def published(api: str, catalog: str) -> list[dict[str, Any]]:
    """Wait for the events about a catalog; the server stores them a little later than it takes them."""
    until = time.monotonic() + EVENT_SECONDS
    while time.monotonic() < until:
        found = ask(api, "events", filter={"event": {"name": ["maskmill.catalog.published"]}})["events"]
        about = [event for event in found if event["payload"]["catalog"] == catalog]
        if about:
            return about
        time.sleep(0.5)
    return []


def label(api: str, corpus: str, catalog: str, home: Path, *more: str) -> Any:
    flags = ["--catalog", catalog, "--segmenter", FAKE, "--vocabulary", "demo", "--workers", "1", *more]
    return spawn(home, "label", corpus, *flags, "--json", PREFECT_API_URL=api)


def test_a_label_run_on_ray_shows_on_the_server(server: str, corpus: CorpusConfig, tmp_path: Path) -> None:
    catalog = str(tmp_path / "catalog")
    ran = label(server, corpus.uri, catalog, tmp_path)
    assert ran.code == 0, ran.err
    (run,) = ask(server, "flow_runs", flow_runs={"name": {"any_": [f"label {corpus.uri}"]}})
    assert run["state"]["type"] == "COMPLETED"
    (task,) = ask(server, "task_runs", task_runs={"flow_run_id": {"any_": [run["id"]]}})
    assert task["state"]["type"] == "COMPLETED"
    found = ask(server, "artifacts", flow_runs={"id": {"any_": [run["id"]]}})
    assert {a["key"]: a["type"] for a in found} == {"label": "progress", "label-summary": "table"}
    (event,) = published(server, catalog)
    assert event["payload"]["version"] == ran.summary["version"] == Catalog.open(catalog).version()
    assert event["payload"]["counts"]["images"] == ran.summary["images"] == 12


def test_a_failed_run_shows_as_failed_with_its_reason(server: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    ran = label(server, nowhere, str(tmp_path / "catalog"), tmp_path)
    assert (ran.code, ran.out) == (3, "")
    (run,) = ask(server, "flow_runs", flow_runs={"name": {"any_": [f"label {nowhere}"]}})
    assert run["state"]["type"] == "FAILED"
    assert "no corpus at" in run["state"]["message"]
