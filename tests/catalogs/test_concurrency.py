"""Several processes on one catalog: writers at once, killed writers, readers meanwhile, a full disk."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from catalog_processes import (
    IMAGES,
    read_until,
    resume,
    resume_at_once,
    write_and_hang,
    write_with_little_space,
)
from object_store import s3_server, use_bucket

from maskmill.catalogs.maintenance import compact, vacuum, verify
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog

# A forked child cannot use the runtime that deltalake has started in its parent.
SPAWN = multiprocessing.get_context("spawn")
SHARDS = ("0", "1", "2")
RUNS = ("label-1", "label-2")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    pytest.importorskip("moto", reason="needs moto[server]")
    with s3_server() as found:
        yield found


@pytest.fixture
def place() -> str:
    return "folder"


@pytest.fixture
def catalog(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Catalog:
    """An empty catalog in a folder, or on an object store."""
    if place == "folder":
        return Catalog.create_or_open(str(tmp_path / "it's c"))
    use_bucket(monkeypatch, request.getfixturevalue("endpoint"))
    return Catalog.create_or_open(f"s3://bucket/{tmp_path.name}")


@contextmanager
def running(target: Callable[..., None], *arguments: Any) -> Iterator[BaseProcess]:
    """Run a function in a process of its own, which does not outlive the block."""
    process = SPAWN.Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def told(receiver: Connection) -> Any:
    assert receiver.poll(60), "the process says nothing"
    return receiver.recv()


def rows(catalog: Catalog, run_id: str) -> list[str]:
    """Return the keys of a run's masks in the newest version."""
    found = query(catalog.uri, f"SELECT key FROM masks WHERE run_id = '{run_id}' ORDER BY key")
    keys: list[str] = found["key"].to_pylist()
    return keys


def expected(run_id: str) -> list[str]:
    return [f"{run_id}/{shard}/{i}" for shard in SHARDS for i in range(IMAGES)]


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_two_writers_at_once_lose_nothing_and_write_nothing_twice(catalog: Catalog) -> None:
    start = SPAWN.Barrier(2)
    with (
        running(resume_at_once, catalog.uri, RUNS[0], SHARDS, start) as one,
        running(resume_at_once, catalog.uri, RUNS[1], SHARDS, start) as other,
    ):
        for process in (one, other):
            process.join(60)
            assert process.exitcode == 0
    assert catalog.version() == 2
    for run_id in RUNS:
        assert rows(catalog, run_id) == expected(run_id)
    (shown,) = catalog.snapshot(1).finished()
    assert query(catalog.uri, "SELECT count(*) AS n, any_value(run_id) AS r FROM masks", 1).to_pylist() == [
        {"n": len(SHARDS) * IMAGES, "r": shown}
    ]
    assert verify(catalog.uri).ok


@pytest.mark.parametrize(
    ("place", "point"),
    [
        ("folder", "written"),
        ("s3", "half"),
        pytest.param("folder", "half", marks=pytest.mark.slow),
        pytest.param("s3", "written", marks=pytest.mark.slow),
    ],
)
def test_a_writer_that_is_killed_is_resumed(catalog: Catalog, point: str) -> None:
    reached = SPAWN.Event()
    with running(write_and_hang, catalog.uri, RUNS[0], point, reached) as writer:
        assert reached.wait(60)
        writer.kill()
        writer.join()
    assert catalog.committed("images", RUNS[0]) == {"0"}
    assert catalog.committed("masks", RUNS[0]) == ({"0"} if point == "written" else {"0", "1"})
    resume(catalog.uri, RUNS[0], SHARDS)
    assert rows(catalog, RUNS[0]) == expected(RUNS[0])
    assert verify(catalog.uri).findings == ()


@pytest.mark.parametrize("place", ["folder", pytest.param("s3", marks=pytest.mark.slow)])
def test_a_reader_sees_whole_versions_while_files_are_merged_and_removed(catalog: Catalog) -> None:
    resume(catalog.uri, RUNS[0], SHARDS)
    stop = SPAWN.Event()
    receiver, sender = SPAWN.Pipe(duplex=False)
    with running(read_until, catalog.uri, stop, sender):
        assert told(receiver) == "ready"
        compact(catalog.uri)
        vacuum(catalog.uri, dry_run=False)
        resume(catalog.uri, RUNS[1], SHARDS)
        compact(catalog.uri)
        removed = vacuum(catalog.uri, keep_days=0, dry_run=False).removed
        stop.set()
        reads, seen = told(receiver)
    assert len([removal for removal in removed if removal.reason == "superseded"]) == 2 * 2 * len(SHARDS)
    one, both = (number * len(SHARDS) * IMAGES for number in (1, 2))
    whole = {(one, one, one), (both, both, both)}
    # Giving up all older versions at once may take the files from under one that reads: it is told so.
    assert all("run_id=" in answer for answer in seen - whole), seen
    assert reads >= 2
    assert seen & whole
    assert len(catalog.files("masks")) == 2
    assert query(catalog.uri, "SELECT count(*) AS n FROM masks")["n"].to_pylist() == [both]


def test_a_full_disk_leaves_nothing_half_committed(catalog: Catalog) -> None:
    receiver, sender = SPAWN.Pipe(duplex=False)
    with running(write_with_little_space, catalog.uri, sender):
        said = told(receiver)
    assert [what for what in ("cannot write", "cannot commit to") for text in said if what in text] == [
        *("cannot write", "cannot commit to")
    ]
    assert all("File too large" in text and "\n" not in text for text in said)
    assert catalog.committed("masks", RUNS[0]) == catalog.committed("images", RUNS[0]) == set()
    left = [name for _, _, names in os.walk(catalog.uri) for name in names if name.endswith(".part")]
    assert left == []
    resume(catalog.uri, RUNS[0], SHARDS)
    assert rows(catalog, RUNS[0]) == expected(RUNS[0])
    assert verify(catalog.uri).ok
