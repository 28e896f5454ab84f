"""Imports that are repeated, interrupted, or run beside others."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from corrections import exported, rows, taken
from tiny import INLINE, RedSegmenter, write_corpus

from maskmill.catalogs.files import read_files, write_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, LabelConfig
from maskmill.schemas.errors import ConfigError
from maskmill.tasks.label import label_run
from maskmill.tasks.review_import import ReviewConfig, review_import
from maskmill.tasks.runs import RunSummary


def test_the_same_file_again_does_nothing(labelled: str, tmp_path: Path) -> None:
    body = exported(labelled)
    first = taken(labelled, body, tmp_path)
    again = taken(labelled, body, tmp_path)
    assert (again.resumed, again.run_id, again.version) == (True, first.run_id, first.version)
    assert again.counts == first.counts
    body["annotations"].pop()
    assert taken(labelled, body, tmp_path).run_id != first.run_id


def test_a_file_is_taken_again_under_another_run_id(labelled: str, tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text(json.dumps(exported(labelled)))
    config = ReviewConfig()
    ids = [review_import(labelled, str(path), config, run_id).run_id for run_id in (None, "second", "second")]
    assert ids[1:] == ["second", "second"]
    assert len(Catalog.open(labelled).runs()) == 3
    with pytest.raises(ConfigError, match="another configuration"):
        review_import(labelled, str(path), ReviewConfig(overlap="smaller"), "second")


def test_what_an_interrupted_import_left_behind_is_made_good(
    labelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> int:
        raise KeyboardInterrupt

    body = exported(labelled)
    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            taken(labelled, body, tmp_path)
    assert len(Catalog.open(labelled).runs()) == 1
    run = taken(labelled, body, tmp_path)
    assert (run.resumed, run.counts["images"], run.counts["masks"]) == (False, 6, 6)
    assert len(rows(labelled, "images", run.run_id)) == 6


def test_shards_that_an_interrupted_import_of_another_state_committed_are_emptied(
    labelled: str, tmp_path: Path
) -> None:
    catalog = Catalog.open(labelled)
    (image, *_) = read_files("images", catalog.files("images")).to_pylist()
    del image["run_id"]
    catalog.commit([write_rows(labelled, "images", "mine", "99999", [image])])
    path = tmp_path / "review.json"
    path.write_text(json.dumps(exported(labelled)))
    run = review_import(labelled, str(path), ReviewConfig(), "mine")
    assert catalog.committed("images", "mine") == {"00000", "00001", "99999"}
    assert len(rows(labelled, "images", "mine")) == run.counts["images"] == 6


def test_a_label_run_and_an_import_at_once_lose_nothing(labelled: str, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", 4)
    corpus = CorpusConfig(uri=other.uri, name="other")

    def label() -> RunSummary:
        config = LabelConfig(vocabulary="demo", pool=INLINE)
        return label_run(corpus, labelled, config, segmenter_factory=RedSegmenter)

    with ThreadPoolExecutor(2) as threads:
        labelling = threads.submit(label)
        importing = threads.submit(taken, labelled, exported(labelled), tmp_path)
        runs = [labelling.result(), importing.result()]
    shown = read_files("images", Catalog.open(labelled).files("images")).to_pylist()
    assert {run.run_id for run in runs} < {row["run_id"] for row in shown}
    assert len(shown) == 6 + 4 + 6


def test_two_imports_of_one_file_at_once_are_one_run(labelled: str, tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text(json.dumps(exported(labelled)))
    with ThreadPoolExecutor(2) as threads:
        ids = {
            run.run_id
            for run in threads.map(lambda _: review_import(labelled, str(path), ReviewConfig()), range(2))
        }
    assert len(ids) == 1
    assert len(rows(labelled, "masks", ids.pop())) == 6
