"""The catalog on an object store: a server of moto's stands in for S3."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from maskmill.catalogs.corpora.tar import TarCorpus
from maskmill.catalogs.files import FileAdd
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

pytest.importorskip("moto", reason="needs moto[server]")
s3fs = pytest.importorskip("s3fs", reason="needs maskmill[s3]")

BUCKET = "s3://bucket/a folder"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("moto's server did not start")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    # In a process of its own: deltalake holds the interpreter while it waits for an answer.
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(autouse=True)
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    if not fs.exists("bucket"):
        fs.mkdir("bucket")
    return fs


def test_a_catalog_lives_on_s3(
    write_errors: Callable[..., FileAdd], run_row: Callable[..., dict[str, Any]]
) -> None:
    catalog = Catalog.create_or_open(f"{BUCKET}/c/")
    assert catalog.uri == f"{BUCKET}/c"
    with ThreadPoolExecutor(2) as threads:
        adds = [write_errors(catalog, "r", str(i)) for i in range(4)]
        assert sum(threads.map(catalog.commit, [adds[:2], adds[2:]])) == 4
    assert catalog.commit(adds) == 0
    assert catalog.publish(run_row(), "r") == 1
    assert query(catalog.uri, "SELECT run_id, count(*) AS n FROM errors GROUP BY 1").to_pylist() == [
        {"run_id": "r", "n": 4}
    ]
    assert Catalog.open(catalog.uri).files("errors") == [
        f"{BUCKET}/c/errors/run_id=r/{i}.parquet" for i in range(4)
    ]


def test_the_machine_stays_closed_to_queries_on_s3(run_row: Callable[..., dict[str, Any]]) -> None:
    catalog = Catalog.create_or_open(f"{BUCKET}/closed")
    catalog.publish(run_row(), "r")
    for source in ("read_text('/etc/hostname')", "read_text('s3://bucket/other')"):
        with pytest.raises(CatalogError, match="Permission Error"):
            query(catalog.uri, f"SELECT * FROM {source}")


def test_places_without_a_catalog_are_errors(bucket: Any) -> None:
    bucket.pipe_file("bucket/foreign/thesis.tex", b"x")
    with pytest.raises(CatalogError, match="no catalog at"):
        Catalog.open("s3://bucket/nothing")
    with pytest.raises(CatalogError, match=r"holds 'thesis\.tex'"):
        Catalog.create_or_open("s3://bucket/foreign")
    with pytest.raises(CatalogError, match="NoSuchBucket"):
        Catalog.open("s3://no-such-bucket/c")


def test_a_corpus_on_s3_has_etags_for_fingerprints(bucket: Any) -> None:
    bucket.pipe_file("bucket/corpus/00000.tar", bytes(10_240))
    corpus = TarCorpus("c", "s3://bucket/corpus")
    (shard,) = corpus.shards()
    etag = bucket.info("bucket/corpus/00000.tar")["ETag"].strip('"')
    assert (shard.shard_id, shard.uri) == ("00000", "s3://bucket/corpus/00000.tar")
    assert shard.fingerprint == f"10240-{etag}"
    assert list(corpus.read(shard)) == []
