from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from exporting import SHARDS, commit_run
from watching import Watcher

from maskmill.catalogs.exporters import ExportConfig, ExportProgress, export
from maskmill.catalogs.exporters.config import Format
from maskmill.catalogs.exporters.folder import ExportFolder
from maskmill.catalogs.exporters.job import WRITERS
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.tags import write_tag
from maskmill.schemas.errors import CatalogError, ConfigError

FORMATS = get_args(Format)
# Exports, and kills itself once two shards are done.
KILLED = """
import os, signal, sys
from maskmill.catalogs.exporters import ExportConfig, export
class Killer:
    done = 0
    def start(self, *given): pass
    def advance(self, done, **counts):
        self.done += done
        if self.done == 2:
            os.kill(os.getpid(), signal.SIGKILL)
uri, out, config = sys.argv[1:]
export(uri, out, ExportConfig.model_validate_json(config), Killer())
"""


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
    assert resumed.shards_done == watcher.done == len(SHARDS) - shards
    assert watcher.stages == [("export", watcher.done), ("finished", 0)]
    assert watcher.said == [f"{shards} of 3 shards are exported already; going on"]
    assert resumed.counts == whole.counts
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")


@pytest.mark.parametrize("name", FORMATS)
def test_an_end_that_was_interrupted_is_done_again(
    labelled: Catalog, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(format=name)
    export(labelled.uri, tmp_path / "whole", config)

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


def test_a_second_export_at_the_same_time_is_refused_and_the_first_goes_on(
    labelled: Catalog, tmp_path: Path
) -> None:
    refused = []

    class Intruder(Watcher):
        def advance(self, done: int, **counts: int) -> None:
            with pytest.raises(
                ConfigError, match=r"process \d+ on .* is exporting to .*: wait for it"
            ) as told:
                export(labelled.uri, tmp_path / "out", _config())
            refused.append(told)

    assert export(labelled.uri, tmp_path / "out", _config(), Intruder()).shards_done == len(refused) == 3
    export(labelled.uri, tmp_path / "alone", _config())
    assert _files(tmp_path / "out") == _files(tmp_path / "alone")


def test_an_export_whose_process_was_killed_goes_on(labelled: Catalog, tmp_path: Path) -> None:
    config = _config(format="index-png")
    arguments = [labelled.uri, str(tmp_path / "cut"), config.model_dump_json()]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "cut" / ".export.lock").exists()
    (tmp_path / "cut" / ".export.json.0.part").write_text("a draft that was cut short")
    watcher = Watcher()
    assert export(labelled.uri, tmp_path / "cut", config, watcher).shards_done == 1
    assert watcher.said == ["2 of 3 shards are exported already; going on"]
    export(labelled.uri, tmp_path / "whole", config)
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")


def test_what_another_process_finished_meanwhile_is_done(
    labelled: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = iter([None])
    real = ExportFolder.manifest
    monkeypatch.setattr(ExportFolder, "manifest", lambda self: next(looked, real(self)))
    export(labelled.uri, tmp_path / "out", _config())
    looked = iter([None])
    assert export(labelled.uri, tmp_path / "out", _config()).shards_done == 0


def test_a_tag_names_the_version_and_both_are_told(labelled: Catalog, corpus: Path, tmp_path: Path) -> None:
    write_tag(labelled.uri, "paper", 1)
    commit_run(labelled, corpus, SHARDS, "label-2")
    summary = export(labelled.uri, tmp_path / "out", _config(version="paper"))
    assert (summary.version, summary.run_id) == (1, "label-1")
    body = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert (body["version"], body["tag"]) == (1, "paper")
    assert export(labelled.uri, tmp_path / "out", _config(version="1")).shards_done == 0
    assert export(labelled.uri, tmp_path / "new", _config(version=2)).run_id == "label-2"
    assert json.loads((tmp_path / "new" / "export.json").read_text("utf-8"))["tag"] is None
    with pytest.raises(CatalogError, match="no version or tag 'draft'; tags are: paper"):
        export(labelled.uri, tmp_path / "other", _config(version="draft"))


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


def test_a_file_in_the_place_of_the_folder_is_refused_and_stays(labelled: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_bytes(b"mine")
    with pytest.raises(CatalogError, match=r"cannot write export .*out"):
        export(labelled.uri, file, _config())
    assert file.read_bytes() == b"mine"
