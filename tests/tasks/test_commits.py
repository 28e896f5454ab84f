"""The committer's batches and their order."""

from __future__ import annotations

import pytest

from maskmill.catalogs.files import FileAdd
from maskmill.schemas.errors import CatalogError, StageError
from maskmill.tasks.commits import Committer


class Recorder:
    """Stands in for a catalog."""

    def __init__(self, error: Exception | None = None) -> None:
        self.commits: list[list[str]] = []
        self.error = error

    def commit(self, adds: list[FileAdd]) -> int:
        if self.error:
            raise self.error
        self.commits.append([f"{add.table}/{add.path}" for add in adds])
        return len(adds)


def shard(name: str) -> list[FileAdd]:
    return [FileAdd(table, f"{name}.parquet", 1, 1, "r", "{}") for table in ("images", "masks")]


def test_the_anchor_table_is_committed_last() -> None:
    catalog = Recorder()
    with Committer(catalog, "images") as committer:
        committer.add(shard("a"))
        committer.add(shard("b"))
    assert catalog.commits == [
        ["masks/a.parquet", "masks/b.parquet"],
        ["images/a.parquet", "images/b.parquet"],
    ]


def test_a_full_batch_is_committed_at_once() -> None:
    catalog = Recorder()
    with Committer(catalog, "images", every=2) as committer:
        committer.add(shard("a"))
        assert catalog.commits == []
        committer.add(shard("b"))
        assert len(catalog.commits) == 2


def test_a_batch_does_not_wait_longer_than_it_should() -> None:
    catalog = Recorder()
    with Committer(catalog, "images", seconds=0.0) as committer:
        committer.add(shard("a"))
        assert len(catalog.commits) == 2


@pytest.mark.parametrize("error", [StageError("gave up"), KeyboardInterrupt()])
def test_finished_shards_of_a_stage_that_ends_early_are_committed(error: BaseException) -> None:
    catalog = Recorder()
    with pytest.raises(type(error)), Committer(catalog, "images") as committer:
        committer.add(shard("a"))
        raise error
    assert len(catalog.commits) == 2


def test_a_failing_catalog_is_not_tried_again_on_the_way_out() -> None:
    catalog = Recorder(CatalogError("disk full"))
    with pytest.raises(CatalogError, match="disk full"), Committer(catalog, "images", every=1) as committer:
        committer.add(shard("a"))
    assert catalog.commits == []


def test_nothing_to_commit_is_no_commit() -> None:
    catalog = Recorder()
    with Committer(catalog, "images"):
        pass
    assert catalog.commits == []
