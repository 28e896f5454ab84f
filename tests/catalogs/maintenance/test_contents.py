from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from maskmill.catalogs.maintenance.contents import info
from maskmill.catalogs.maintenance.tagging import tag
from maskmill.catalogs.query import query
from maskmill.catalogs.store import SCHEMA_VERSION, Catalog


def test_a_version_is_measured_as_it_is_read(
    labelled: Catalog, label: Callable[..., int], write_shard: Callable[..., None]
) -> None:
    tag(labelled.uri, "paper", 1)
    label(labelled, "b", seed=100)
    write_shard(labelled, "c", "00000")  # not published
    for version, runs in ((1, 1), (2, 2)):
        found = info(labelled.uri, version)
        assert (found.version, found.newest, found.runs, found.finished) == (version, 2, runs, runs)
        for table in found.tables:
            files = labelled.files(table.table, version)
            assert table.files == len(files)
            assert table.bytes == sum(Path(file).stat().st_size for file in files)
            counted = query(labelled.uri, f"SELECT count(*) AS n FROM {table.table}", version).to_pylist()
            assert [{"n": table.rows}] == counted
    assert info(labelled.uri, "paper").tags == ("paper",)
    assert info(labelled.uri).tags == ()
    assert info(labelled.uri).schema_version == SCHEMA_VERSION
    assert set(info(labelled.uri).fields()) >= {"catalog", "version", "newest", "tags"}
    assert info(labelled.uri).rows()[0] == {"table": "images", "rows": 24, "files": 12} | {
        "bytes": info(labelled.uri).tables[0].bytes
    }
