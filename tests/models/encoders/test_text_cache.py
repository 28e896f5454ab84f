from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from maskmill.models.encoders.text_cache import TextCache, user_cache


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _vector(number: int) -> torch.Tensor:
    return torch.full((64,), float(number))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _work(folder: Path, limit: int) -> bool:
    """Write and read the same keys as others do; say whether everything read was whole."""
    cache = TextCache(folder, limit)
    whole = True
    for number in list(range(40)) * 2:
        found = cache.get(_key(number))
        whole &= found is None or torch.equal(found, _vector(number))
        cache.put(_key(number), _vector(number))
    return whole


def test_what_was_put_is_got_by_another_process_of_the_same_folder(tmp_path: Path) -> None:
    vector = torch.randn(512)
    TextCache(tmp_path / "a" / "b").put(_key(1), vector)
    found = TextCache(tmp_path / "a" / "b").get(_key(1))
    assert found is not None
    assert torch.equal(found, vector)
    assert found.dtype == torch.float32
    assert TextCache(tmp_path / "a" / "b").get(_key(2)) is None


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    assert TextCache(tmp_path / "none").get(_key(1)) is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_file_is_not_there_and_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    cache = TextCache(tmp_path)
    cache.put(_key(1), _vector(1))
    (file,) = _files(tmp_path)
    body = file.read_bytes()
    file.write_bytes(
        {"cut": body[:-10], "empty": b"", "other": body.replace(b"embedding", b"EMBEDDING")}[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert cache.get(_key(1)) is None
    assert "damaged" in caplog.text
    assert _files(tmp_path) == []
    cache.put(_key(1), _vector(1))
    assert cache.get(_key(1)) is not None


def test_a_place_that_cannot_be_written_is_said_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = TextCache(tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            cache.put(_key(number), _vector(number))
    assert caplog.text.count("cannot be written") == 1


def test_above_the_limit_what_was_used_longest_ago_goes(tmp_path: Path) -> None:
    cache = TextCache(tmp_path)
    for number in range(10):
        cache.put(_key(number), _vector(number))
        path = tmp_path / _key(number)[:2] / f"{_key(number)}.safetensors"
        os.utime(path, (1000.0 + number, 1000.0 + number))
    size = path.stat().st_size
    assert cache.get(_key(0)) is not None  # now the one used last
    TextCache(tmp_path, limit=5 * size).put(_key(10), _vector(10))
    assert {number for number in range(11) if cache.get(_key(number)) is not None} == {0, 7, 8, 9, 10}


def test_a_long_run_stays_near_the_limit(tmp_path: Path) -> None:
    cache = TextCache(tmp_path, limit=20 * 400)
    for number in range(200):
        cache.put(_key(number), _vector(number))
    assert 10 * 400 < sum(f.stat().st_size for f in _files(tmp_path)) <= 1.2 * 20 * 400


def test_what_a_dead_process_left_half_written_goes(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    old, new = tmp_path / "ab" / "x.1.partial", tmp_path / "ab" / "x.2.partial"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    TextCache(tmp_path).put(_key(1), _vector(1))
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("limit", [2**20, 4000])
def test_threads_share_a_folder(tmp_path: Path, limit: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda _: _work(tmp_path, limit), range(6)))
    assert not [f for f in _files(tmp_path) if f.suffix == ".partial"]


@pytest.mark.slow
def test_processes_share_a_folder(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert all(pool.map(_work, [tmp_path] * 4, [4000, 2**20, 4000, 2**20]))


def test_the_users_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "maskmill" / "texts"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache() == tmp_path / "home" / ".cache" / "maskmill" / "texts"


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    assert user_cache() is None
