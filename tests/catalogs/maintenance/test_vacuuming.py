from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs.files import FileAdd
from maskmill.catalogs.maintenance import vacuuming as vacuum_module
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.tagging import tag, untag
from maskmill.catalogs.maintenance.vacuuming import vacuum
from maskmill.catalogs.maintenance.verification import verify
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

from .conftest import SHARDS, contents, grow_old


def _stored(catalog: Catalog) -> set[str]:
    root = Path(catalog.uri)
    return {str(path.relative_to(root)) for path in root.rglob("run_id=*/*")}


def test_merged_files_go_once_no_version_needs_them(labelled: Catalog) -> None:
    before, small = contents(labelled), _stored(labelled)
    compact(labelled.uri)
    grow_old(labelled, 30)
    # Version 1 was the newest a moment ago: somebody may read it now, however old its files are.
    held = vacuum(labelled.uri, keep_days=7, dry_run=False)
    assert (held.kept, held.removed) == ((1, 2), ())
    done = vacuum(labelled.uri, keep_days=0, dry_run=False)
    assert {removal.path for removal in done.removed} == {p for p in small if not p.startswith("runs")}
    assert {removal.reason for removal in done.removed} == {"superseded"}
    assert (done.kept, done.given_up) == ((2,), (1,))
    assert contents(labelled) == before
    assert verify(labelled.uri).findings == ()
    assert {finding.code for finding in verify(labelled.uri, 1).findings} == {"missing_file"}
    assert vacuum(labelled.uri, keep_days=0, dry_run=False).removed == ()


def test_a_dry_run_says_the_same_and_deletes_nothing(labelled: Catalog) -> None:
    compact(labelled.uri)
    grow_old(labelled, 30)
    stored = _stored(labelled)
    dry = vacuum(labelled.uri, keep_days=0)
    assert dry.dry_run
    assert dry.bytes == sum((Path(labelled.uri) / r.path).stat().st_size for r in dry.removed) > 0
    assert _stored(labelled) == stored
    wet = vacuum(labelled.uri, keep_days=0, dry_run=False)
    assert wet.rows() == dry.rows()
    assert wet.fields() == dry.fields() | {"dry_run": False}


def test_what_a_tag_names_stays(labelled: Catalog) -> None:
    before = contents(labelled)
    tag(labelled.uri, "paper", 1)
    compact(labelled.uri)
    grow_old(labelled, 30)
    assert vacuum(labelled.uri, keep_days=0, dry_run=False).removed == ()
    assert contents(labelled, labelled.resolve("paper")) == before
    untag(labelled.uri, "paper")
    assert len(vacuum(labelled.uri, keep_days=0, dry_run=False).removed) == 18


def test_files_of_a_run_at_work_stay(
    labelled: Catalog, write_shard: Callable[..., None], write_errors: Callable[..., FileAdd]
) -> None:
    write_shard(labelled, "b", SHARDS[0])
    grow_old(labelled, 30)
    late = write_errors(labelled, "b", "00001")  # written, to be committed in a moment
    dead = write_errors(labelled, "b", "00002")  # by a driver that died long ago
    draft = Path(labelled.uri, "errors", "run_id=b", ".00003.parquet.0123.part")
    draft.write_bytes(b"half")
    then = time.time() - 8 * 86_400
    for path in (Path(labelled.uri, "errors", dead.path), draft):
        os.utime(path, (then, then))
    done = vacuum(labelled.uri, dry_run=False)
    assert {(r.path, r.reason) for r in done.removed} == {
        (f"errors/{dead.path}", "never_committed"),
        (str(draft.relative_to(labelled.uri)), "never_committed"),
    }
    assert labelled.commit([late]) == 1
    assert labelled.committed("errors", "b") == {"00000", "00001"}


def test_what_a_failed_run_has_committed_stays_for_its_next_call(
    labelled: Catalog, write_shard: Callable[..., None], run_row: Callable[..., dict[str, Any]]
) -> None:
    write_shard(labelled, "b", SHARDS[0])
    labelled.publish(run_row("failed", reason="bad"), "b")
    grow_old(labelled, 300)
    assert vacuum(labelled.uri, keep_days=0, dry_run=False).removed == ()
    labelled.publish(run_row(), "b")
    assert verify(labelled.uri).ok


def test_a_file_that_is_written_anew_meanwhile_stays(
    labelled: Catalog, write_errors: Callable[..., FileAdd], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = write_errors(labelled, "b", "0")
    grow_old(labelled, 30)
    original = vacuum_module._delete

    def late(catalog: Catalog, *rest: Any) -> Any:
        write_errors(catalog, "b", "0")
        return original(catalog, *rest)

    monkeypatch.setattr(vacuum_module, "_delete", late)
    assert vacuum(labelled.uri, dry_run=False).removed == ()
    assert labelled.commit([add]) == 1
    assert len(labelled.run_files("errors", "b")) == 1
    assert verify(labelled.uri).ok


def test_staged_files_go_with_their_finished_run_only(labelled: Catalog) -> None:
    for run_id in ("a", "b"):
        folder = Path(labelled.uri, ".staging", run_id)
        folder.mkdir(parents=True)
        (folder / "0.parquet").write_bytes(b"staged")
    assert vacuum(labelled.uri, dry_run=False).removed == ()
    grow_old(labelled, 30)
    done = vacuum(labelled.uri, dry_run=False)
    assert [(r.path, r.reason, r.bytes) for r in done.removed] == [(".staging/a/0.parquet", "staged", 6)]
    assert not Path(labelled.uri, ".staging", "a").exists()
    assert Path(labelled.uri, ".staging", "b", "0.parquet").exists()


@pytest.mark.parametrize("days", [-1, float("nan")])
def test_an_age_that_is_none_is_refused(labelled: Catalog, days: float) -> None:
    with pytest.raises(CatalogError, match="give 0 or more"):
        vacuum(labelled.uri, keep_days=days)
