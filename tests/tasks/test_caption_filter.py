"""The caption filter with a named set of entities: its rows, its errors and what it drops."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_corpus import CORPUS, INLINE, MemoryCorpus, open_in_memory, rows
from watching import Watcher

from maskmill.catalogs.corpora.batches import CaptionRow, in_batches
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import FilterConfig, PoolConfig
from maskmill.schemas.errors import ConfigError, ErrorReason, StageError
from maskmill.schemas.samples import BadSample, image_id
from maskmill.tasks.caption_filter import filter_run


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> MemoryCorpus:
    return open_in_memory(monkeypatch)


def test_a_named_set_filters_every_caption_into_a_row(corpus: MemoryCorpus, tmp_path: Path) -> None:
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    assert run.counts == {
        "images": 5,
        "images_kept": 2,
        "captions": 7,
        "captions_kept": 3,
        "entities": 16,
        "errors": 0,
    }
    captions = rows(str(tmp_path), "captions", run)
    assert [(r["key"], r["caption_index"], r["reason"], r["entities"]) for r in captions[:4]] == [
        ("00000000", 0, "kept", ["cat"]),
        ("00000000", 1, "kept", ["cup"]),
        ("00000001", 0, "no_entity", []),
        ("00000002", 0, "no_caption", []),
    ]
    assert captions[0]["image_id"] == image_id("memory", "00000000")
    assert {"start": 10, "end": 13, "entity": "cup"} in captions[1]["spans"]
    top = rows(str(tmp_path), "entities", run)[:2]
    assert [(r["entity"], r["count"], r["rank"], r["keep"], r["reason"]) for r in top] == [
        ("cat", 2, 1, True, "named"),
        ("cup", 1, 2, True, "named"),
    ]


def test_a_given_run_id_cannot_be_taken_up_with_another_configuration(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE), run_id="mine")
    with pytest.raises(ConfigError, match="mine"):
        filter_run(CORPUS, str(tmp_path), FilterConfig(entities="voc21", pool=INLINE), run_id="mine")


def test_bad_samples_become_error_rows_of_the_filter_stage(corpus: MemoryCorpus, tmp_path: Path) -> None:
    corpus.bad = [BadSample("k", ErrorReason.BAD_METADATA, "json is cut short")]
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    (row,) = rows(str(tmp_path), "errors", run)
    assert (row["stage"], row["key"], row["reason"]) == ("filter", "k", "bad_metadata")
    assert run.counts["errors"] == 1


def test_too_many_bad_samples_fail_the_stage_and_the_run_says_why(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.bad = [BadSample(str(i), ErrorReason.EMPTY_FILE, "no byte") for i in range(9)]
    with pytest.raises(StageError, match="9 of 14 samples are bad"):
        filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE), run_id="mine")
    recorded = Catalog.open(str(tmp_path)).run("mine")
    assert recorded is not None and recorded["status"] == "failed" and "9 of 14" in recorded["reason"]


def test_a_shard_that_cannot_be_read_is_given_up_and_the_others_are_filtered(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.broken = {"00001"}
    watcher = Watcher()
    pool = PoolConfig(backend="inline", error_limit=0.5)
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=pool), progress=watcher)
    (row,) = rows(str(tmp_path), "errors", run)
    assert (row["shard_id"], row["reason"]) == ("00001", "shard_quarantined")
    assert "00001 is gone" in row["detail"]
    assert run.counts["images"] == 3
    assert any("given up" in line for line in watcher.said)


def test_an_unknown_entity_set_is_a_configuration_fault_before_the_corpus_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no vocabulary 'nope'"):
        filter_run(CORPUS, str(tmp_path / "catalog"), FilterConfig(entities="nope", pool=INLINE))
    assert not (tmp_path / "catalog").exists()


def test_equal_images_are_dropped_over_the_whole_corpus_and_their_captions_say_so(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.digests = {"00000000": "x", "00001000": "x", "00001001": "y"}
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    decided = {(r["key"], r["caption_index"]): r["reason"] for r in rows(str(tmp_path), "captions", run)}
    assert decided["00000000", 0] == "kept"
    assert decided["00001000", 0] == "duplicate_image"
    assert decided["00001001", 0] == "no_entity"
    assert (run.counts["images"], run.counts["images_kept"], run.counts["captions_kept"]) == (5, 1, 2)


def test_equal_images_stay_where_that_is_asked_for(corpus: MemoryCorpus, tmp_path: Path) -> None:
    corpus.digests = {"00000000": "x", "00001000": "x"}
    config = FilterConfig(entities="demo", drop_duplicates=False, pool=INLINE)
    filter_run(CORPUS, str(tmp_path / "all"), config)
    run = filter_run(CORPUS, str(tmp_path / "all"), config)
    assert "duplicate_image" not in {r["reason"] for r in rows(str(tmp_path / "all"), "captions", run)}


def test_a_key_that_another_shard_has_taken_is_an_error_and_its_first_image_stays(
    corpus: MemoryCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [CaptionRow("k", ("a cat",)), CaptionRow("l", ("a dog",))]
    monkeypatch.setattr(corpus, "captions", lambda shard, content: in_batches(same), raising=False)
    pool = PoolConfig(backend="inline", error_limit=0.5)
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=pool))
    captions = rows(str(tmp_path), "captions", run)
    assert [(r["key"], r["shard_id"]) for r in captions] == [("k", "00000"), ("l", "00000")]
    errors = rows(str(tmp_path), "errors", run)
    assert [(r["key"], r["shard_id"], r["reason"]) for r in errors] == [
        ("k", "00001", "duplicate_key"),
        ("l", "00001", "duplicate_key"),
    ]


def test_small_images_are_dropped_if_a_limit_is_given(corpus: MemoryCorpus, tmp_path: Path) -> None:
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", min_short_side=201, pool=INLINE))
    assert {r["reason"] for r in rows(str(tmp_path), "captions", run)} == {"too_small"}


def test_nothing_staged_is_left_behind(corpus: MemoryCorpus, tmp_path: Path) -> None:
    filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    assert not (tmp_path / ".staging").exists()
