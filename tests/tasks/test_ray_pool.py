"""The pool on a real local Ray: what only separate processes can show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maskmill.schemas.config import PoolConfig
from maskmill.schemas.errors import CatalogError, StageError, WeightsError
from maskmill.tasks import ray_pool
from maskmill.tasks.pool import PoolEvent, PoolStats, WorkerFault, run_pool, session


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One local Ray for all tests of this file, started by the first of them."""
    by_value = sys.modules[__name__]
    ray_pool.ray.cloudpickle.register_pickle_by_value(by_value)
    with session(PoolConfig()):
        yield
    assert not ray_pool.ray.is_initialized()


def act(item: Any) -> Any:
    match item:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(60)
        case "fault":
            raise WorkerFault("CUDA error: an illegal memory access")
        case "bug":
            raise KeyError("x")
        case "disk full":
            raise CatalogError("no space left on device")
        case ("die once", flag):
            if not Path(flag).exists():
                Path(flag).touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return item


def run(
    items: list[Any], factory: Callable[[], Callable[[Any], Any]] = lambda: act, **settings: Any
) -> tuple[PoolStats, list[PoolEvent[Any, Any]]]:
    events: list[PoolEvent[Any, Any]] = []
    config = PoolConfig(**{"workers": 2, "error_limit": 1.0, "shard_tries": 2, **settings})
    return run_pool(factory, items, config, events.append), events


def test_the_cluster_listens_on_this_machine_only() -> None:
    run([1])
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    own = [line.split()[3] for line in listening.splitlines() if "raylet" in line or "gcs_server" in line]
    assert own
    assert all("127.0.0.1" in address for address in own), own


def test_ray_does_the_same_as_inline() -> None:
    items = [1, "bug", 2, 3, "bug", *range(10, 30)]
    _, on_ray = run(items)
    _, inline = run(items, backend="inline")
    key = lambda event: (event.kind, str(event.item), str(event.result), event.reason)  # noqa: E731
    assert sorted(map(key, on_ray)) == sorted(map(key, inline))


def test_a_worker_killed_in_the_middle_costs_a_try_and_no_result(tmp_path: Path) -> None:
    fatal = ("die once", str(tmp_path / "flag"))
    stats, events = run([fatal, *range(8)], workers=1)
    assert [(event.item, event.tries) for event in events if event.kind == "requeued"] == [(fatal, 1)]
    assert sorted(str(event.item) for event in events if event.kind == "done") == sorted(
        map(str, [fatal, *range(8)])
    )
    assert {event.tries for event in events if event.kind == "done" and event.item != fatal} == {1}
    assert (stats.done, stats.requeued) == (9, 1)


def test_an_item_that_kills_every_worker_is_quarantined_and_the_rest_done() -> None:
    stats, events = run([1, "die", 2, 3])
    (lost,) = [event for event in events if event.kind == "quarantined"]
    assert lost.item == "die"
    assert "its worker process has died" in lost.reason
    assert "\n" not in lost.reason
    assert (stats.done, stats.quarantined) == (3, 1)


def test_an_item_over_the_time_limit_is_given_up_and_the_rest_done() -> None:
    began = time.monotonic()
    stats, events = run(["hang", 1, 2, "fault", 3], shard_timeout=1.5, shard_tries=1)
    reasons = {event.item: event.reason for event in events if event.kind == "quarantined"}
    assert reasons["hang"] == "took longer than the limit of 1.5 s per shard"
    assert "CUDA error" in reasons["fault"]
    assert stats.done == 3
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (WeightsError("no weights at /nowhere"), WeightsError, "^no weights at /nowhere$"),
        (RuntimeError("no kernel image"), StageError, "could not start: RuntimeError: no kernel image"),
    ],
)
def test_a_factory_that_raises_ends_the_stage_with_its_words(
    error: Exception, kind: type[Exception], text: str
) -> None:
    def factory() -> Callable[[Any], Any]:
        raise error

    with pytest.raises(kind, match=text):
        run([1, 2, 3], factory)


def test_a_factory_that_kills_its_process_ends_the_stage() -> None:
    def factory() -> Callable[[Any], Any]:
        os._exit(1)

    with pytest.raises(StageError, match="2 workers in a row were lost while loading"):
        run([1, 2, 3], factory)


def test_an_error_about_the_stage_comes_back_with_its_type() -> None:
    with pytest.raises(CatalogError, match="no space left on device"):
        run([1, "disk full"])


def test_no_process_outlives_a_driver_that_is_killed() -> None:
    code = (
        "import os, time\n"
        "from maskmill.tasks.pool import run_pool\n"
        "from maskmill.schemas.config import PoolConfig\n"
        "def worker(item):\n"
        "    print(os.getppid(), os.getpid(), file=open(item, 'w'), flush=True)\n"
        "    time.sleep(60)\n"
        "run_pool(lambda: worker, [os.environ['PIDS']], PoolConfig(), print)\n"
    )
    with tempfile.NamedTemporaryFile() as pids:
        environment = {**os.environ, "PIDS": pids.name}
        driver = subprocess.Popen([sys.executable, "-c", code], env=environment)
        assert _eventually(lambda: Path(pids.name).stat().st_size > 0, 60)
        raylet, worker = map(int, Path(pids.name).read_text().split())
    driver.kill()
    driver.wait()
    assert _eventually(
        lambda: not Path(f"/proc/{raylet}").exists() and not Path(f"/proc/{worker}").exists(), 20
    )


def _eventually(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def test_a_cluster_that_does_not_answer_is_a_stage_error() -> None:
    code = (
        "from maskmill.tasks.pool import run_pool\n"
        "from maskmill.schemas.config import PoolConfig\n"
        "from maskmill.schemas.errors import StageError\n"
        "try:\n"
        "    run_pool(lambda: str, [1], PoolConfig(address='127.0.0.1:1'), print)\n"
        "except StageError as err:\n"
        "    print(err)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert done.stdout.startswith("no Ray cluster answers at '127.0.0.1:1'"), done.stderr
