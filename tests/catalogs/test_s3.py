"""The catalog on an object store: a server of moto's stands in for S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from object_store import s3_server, use_bucket

from maskmill.catalogs.corpora.tar import TarCorpus
from maskmill.catalogs.files import FileAdd
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

pytest.importorskip("moto", reason="needs moto[server]")
pytest.importorskip("s3fs", reason="needs maskmill[s3]")

BUCKET = "s3://bucket/a folder"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as found:
        yield found


@pytest.fixture(autouse=True)
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    return use_bucket(monkeypatch, endpoint)


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
