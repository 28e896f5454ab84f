from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from maskmill.catalogs.storage import (
    fingerprint,
    full_uri,
    join,
    locate,
    one_line,
    put_file,
    read_bytes,
    reported_as,
)
from maskmill.schemas.errors import CatalogError, ConfigError


def test_local_paths_come_back_absolute_and_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for uri in ("a b/ü", f"file://{tmp_path}/a b/ü", f"{tmp_path}/a b/ü/"):
        assert full_uri(*locate(uri)) == f"{tmp_path}/a b/ü"


def test_remote_uris_keep_their_scheme() -> None:
    assert full_uri(*locate("memory://bucket/x")) == "memory:///bucket/x"


def test_a_store_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_uri: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("maskmill.catalogs.storage.url_to_fs", missing)
    with pytest.raises(ImportError, match=r"pip install 'maskmill\[s3\]'"):
        locate("s3://bucket/x")


def test_parts_are_joined_by_one_slash() -> None:
    assert join("s3://b/c/", "d", "e") == join("s3://b/c", "d", "e") == "s3://b/c/d/e"


def test_a_file_is_written_whole_in_every_store(tmp_path: Path) -> None:
    for uri in (f"{tmp_path}/new/folder/x", "memory://folder/x"):
        for data in (b"first", b""):
            put_file(uri, data)
            fs, path = locate(uri)
            assert fs.cat_file(path) == data
    fsspec.filesystem("memory").rm("/folder", recursive=True)
    assert [p.name for p in (tmp_path / "new" / "folder").iterdir()] == ["x"]


def test_a_fingerprint_prefers_the_etag_and_knows_the_size() -> None:
    assert fingerprint({"size": 3, "ETag": '"ab"', "LastModified": 1}) == "3-ab"
    assert fingerprint({"size": 3, "mtime": 1.5}) == "3-1.5"
    assert fingerprint({"size": 3}) == "3"


def test_what_a_store_raises_is_reported_as_our_own_error() -> None:
    with (
        pytest.raises(CatalogError, match="cannot list: no permission"),
        reported_as(CatalogError, "cannot list"),
    ):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(CatalogError, match="cannot list: KeyError"), reported_as(CatalogError, "cannot list"):
        raise KeyError
    with pytest.raises(ConfigError, match=r"^own$"), reported_as(CatalogError, "cannot list"):
        raise ConfigError("own")


def test_long_and_decorated_errors_become_one_line() -> None:
    assert one_line(ValueError("a\n  \x1b[31m↳\x1b[0m b")) == "a b"
    assert one_line(ValueError("x" * 1000)) == "x" * 399 + "…"


@pytest.mark.parametrize("scheme", ["", "memory://"])
@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((), b"0123456789"), ((3,), b"3456789"), ((3, 7), b"3456"), ((8, 99), b"89"), ((4, 4), b"")],
)
def test_bytes_are_read_from_any_store_alike(
    tmp_path: Path, scheme: str, bounds: tuple[int, ...], expected: bytes
) -> None:
    fs, path = locate(f"{scheme}{tmp_path}/digits")
    fs.makedirs(str(Path(path).parent), exist_ok=True)
    fs.pipe_file(path, b"0123456789")
    assert read_bytes(fs, path, *bounds) == expected
    with pytest.raises(FileNotFoundError):
        read_bytes(fs, f"{path}s", *bounds)
