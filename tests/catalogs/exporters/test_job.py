from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from exporting import SHARDS, Watcher, commit_run

from maskmill.catalogs.exporters import ExportConfig, ExportProgress, export
from maskmill.catalogs.exporters.config import Format
from maskmill.catalogs.exporters.job import WRITERS
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError

FORMATS = get_args(Format)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _config(**fields: Any) -> ExportConfig:
    return ExportConfig(**{"val_share": 0.5, "seed": 3, **fields})


def test_every_format_has_a_writer() -> None:
    assert tuple(WRITERS) == FORMATS


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shards", [1, 2, 3])
def test_an_interrupted_export_goes_on_and_ends_as_one_that_was_not(
    labelled: Catalog, tmp_path: Path, name: str, shards: int
) -> None:
    config = _config(format=name)
    whole = export(labelled.uri, tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        export(labelled.uri, tmp_path / "cut", config, Watcher(stop_after=shards))
    assert not (tmp_path / "cut" / "export.json").exists()
    watcher = Watcher()
    resumed = export(labelled.uri, tmp_path / "cut", config, watcher)
    assert resumed.shards_done == watcher.total == watcher.shards == len(SHARDS) - shards
    assert watcher.said == [f"{shards} of 3 shards are exported already; going on"]
    assert resumed.counts == whole.counts
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")


@pytest.mark.parametrize("name", FORMATS)
def test_an_end_that_was_interrupted_is_done_again(
    labelled: Catalog, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(format=name)
    export(labelled.uri, tmp_path / "whole", config)
    from maskmill.catalogs.exporters.folder import ExportFolder

    def broken(self: ExportFolder, manifest: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(ExportFolder, "finish", broken)
        with pytest.raises(CatalogError, match=r"cannot write export .*: no space left"):
            export(labelled.uri, tmp_path / "cut", config)
    export(labelled.uri, tmp_path / "cut", config)
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")


def test_a_second_call_changes_nothing_and_needs_no_corpus(
    labelled: Catalog, corpus: Path, tmp_path: Path
) -> None:
    first = export(labelled.uri, tmp_path / "out", _config())
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    shutil.rmtree(corpus)
    second = export(labelled.uri, tmp_path / "out", _config())
    assert (first.shards_done, second.shards_done) == (3, 0)
    assert (second.counts, second.classes, second.run_id) == (first.counts, first.classes, first.run_id)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before


def test_a_later_version_that_shows_the_same_run_is_the_same_export(
    labelled: Catalog, corpus: Path, tmp_path: Path
) -> None:
    export(labelled.uri, tmp_path / "out", _config())
    commit_run(labelled, corpus, SHARDS, "label-2")
    assert export(labelled.uri, tmp_path / "out", _config(run_id="label-1")).version == 1
    with pytest.raises(ConfigError, match="finished export with another run_id"):
        export(labelled.uri, tmp_path / "out", _config())


def test_a_folder_of_another_export_is_refused(labelled: Catalog, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        export(labelled.uri, tmp_path / "cut", _config(), Watcher(stop_after=1))
    with pytest.raises(ConfigError, match="an unfinished export with another min_score: give that again"):
        export(labelled.uri, tmp_path / "cut", _config(min_score=0.4))
    export(labelled.uri, tmp_path / "out", _config())
    with pytest.raises(ConfigError, match="a finished export with another format, min_area"):
        export(labelled.uri, tmp_path / "out", _config(format="hf", min_area=5))


def test_a_folder_with_other_files_is_refused(labelled: Catalog, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match=r"holds 'thesis.tex': give a new or an empty folder"):
        export(labelled.uri, tmp_path / "out", _config())
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_an_object_store_is_refused(labelled: Catalog) -> None:
    with pytest.raises(ConfigError, match="written to a local folder"):
        export(labelled.uri, "memory://bucket/out", _config())


def test_the_manifest_says_what_was_exported(labelled: Catalog, tmp_path: Path) -> None:
    summary = export(labelled.uri, tmp_path / "out", _config(min_score=0.4))
    body = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert body["format"] == "coco"
    assert (body["version"], body["run_id"]) == (1, "label-1")
    assert body["classes"] == list(summary.classes) == ["background", "cat", "dog", "tree"]
    assert body["counts"] == summary.counts
    assert (body["counts"]["images"], body["counts"]["masks"]) == (5, 5)
    assert body["plan"]["min_score"] == 0.4
    assert not (tmp_path / "out" / ".parts").exists()


def test_a_stage_progress_can_watch() -> None:
    from maskmill.tasks.progress import SILENT

    watcher: ExportProgress = SILENT
    assert all(hasattr(watcher, name) for name in ("start", "advance", "finish", "say"))
