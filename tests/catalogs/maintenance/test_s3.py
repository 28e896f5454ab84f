"""Versions in time on an object store: a server of moto's stands in for S3."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from object_store import s3_server, use_bucket

from maskmill.catalogs.maintenance import compact, diff, history, info, tag, tags, vacuum, verify
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

from .conftest import contents

pytest.importorskip("moto", reason="needs moto[server]")
pytest.importorskip("s3fs", reason="needs maskmill[s3]")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as found:
        yield found


@pytest.fixture
def remote(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    use_bucket(monkeypatch, endpoint)
    return Catalog.create_or_open("s3://bucket/a folder/catalog")


def test_a_catalog_is_kept_in_order_on_s3(remote: Catalog, label: Callable[..., int]) -> None:
    assert label(remote, "a", ["00000", "00001"]) == 1
    before = contents(remote)
    tag(remote.uri, "paper")
    assert compact(remote.uri).version == 2
    assert len(remote.files("masks")) == 1
    assert contents(remote) == contents(remote, 1) == before
    assert verify(remote.uri).findings == verify(remote.uri, "paper").findings == ()
    time.sleep(1.1)  # the store's times are whole seconds
    assert vacuum(remote.uri, keep_days=0, dry_run=False).removed == ()
    assert diff(remote.uri, "paper").rows() == []
    assert [(entry.run_id, entry.tags) for entry in history(remote.uri)] == [("a", ("paper",)), ("a", ())]

    tag(remote.uri, "paper", 2, force=True)
    done = vacuum(remote.uri, keep_days=0, dry_run=False)
    assert (len(done.removed), done.given_up) == (6, (1,))
    assert contents(remote) == before
    assert {finding.code for finding in verify(remote.uri, 1).findings} == {"missing_file"}
    assert info(remote.uri, "paper").tables[0].files == 1

    def attempt(number: int) -> bool:
        try:
            return tag(remote.uri, "race", 2).version == 2
        except CatalogError:
            return False

    with ThreadPoolExecutor(4) as threads:
        assert any(threads.map(attempt, range(4)))
    assert [(one.name, one.version) for one in tags(remote.uri)] == [("paper", 2), ("race", 2)]
