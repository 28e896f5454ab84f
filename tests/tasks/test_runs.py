"""Run ids, and when a run counts as done."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import LabelConfig, PoolConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError
from maskmill.tasks.runs import (
    RunEnd,
    RunHead,
    claim_run,
    default_run_id,
    finished_run,
    library_versions,
    results_hash,
    run_row,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path / "catalog"))


def head(**fields: str) -> RunHead:
    values = {"run_id": "r1", "config_hash": "c", "corpus": "birds", "corpus_fingerprint": "f"}
    return RunHead(kind="label", config=LabelConfig(), **{**values, **fields})


def test_where_and_how_fast_a_run_works_is_no_part_of_its_identity() -> None:
    here = LabelConfig(batch_images=8, pool=PoolConfig(workers=1))
    there = LabelConfig(
        batch_images=64,
        decode_threads=9,
        pool=PoolConfig(backend="inline"),
        segmenter=SegmenterConfig(device="cuda"),
    )
    assert results_hash(here) == results_hash(there)


def test_what_changes_a_mask_changes_the_identity() -> None:
    hashes = {
        results_hash(LabelConfig()),
        results_hash(LabelConfig(min_area=17)),
        results_hash(LabelConfig(segmenter=SegmenterConfig(clip="demo"))),
        results_hash(LabelConfig(), "sha256 of the weights"),
    }
    assert len(hashes) == 4


def test_a_default_run_id_follows_from_its_parts() -> None:
    assert default_run_id("label", "a", "b") == default_run_id("label", "a", "b")
    assert default_run_id("label", "ab", "") != default_run_id("label", "a", "b")
    assert default_run_id("label", "a").startswith("label-")


@pytest.mark.parametrize("run_id", ["", "a/b", "../x", "a=b", "-rf", "a b", "x" * 101])
def test_a_run_id_that_cannot_name_a_folder_is_refused(run_id: str) -> None:
    with pytest.raises(ConfigError, match="run id"):
        head(run_id=run_id)


def test_a_published_run_is_finished(catalog: Catalog) -> None:
    assert finished_run(catalog, head()) is None
    version = catalog.publish(run_row(head(), RunEnd({"images": 3}, {"clip": "ab"})), "r1")
    summary = finished_run(catalog, head())
    assert summary is not None
    assert (summary.resumed, summary.version, summary.counts) == (True, version, {"images": 3})


def test_a_failed_run_is_not_finished(catalog: Catalog) -> None:
    catalog.publish(run_row(head(), RunEnd({}, reason="too many errors")), "r1")
    assert finished_run(catalog, head()) is None
    row = catalog.run("r1")
    assert row is not None
    assert (row["status"], row["reason"]) == ("failed", "too many errors")


def test_a_claimed_run_id_cannot_be_taken_by_another_configuration(catalog: Catalog) -> None:
    claim_run(catalog, head())
    assert finished_run(catalog, head()) is None
    with pytest.raises(ConfigError, match="'r1' exists with another configuration"):
        finished_run(catalog, head(config_hash="d"))
    with pytest.raises(ConfigError, match="the corpus has changed"):
        finished_run(catalog, head(corpus_fingerprint="g"))


def test_the_row_tells_what_the_run_was_made_with(catalog: Catalog) -> None:
    catalog.publish(run_row(head(), RunEnd({"images": 3}, {"clip": "ab"})), "r1")
    row = catalog.run("r1")
    assert row is not None
    assert row["config"]["min_area"] == LabelConfig().min_area
    assert row["weights"] == {"clip": "ab"}
    assert row["libraries"] == library_versions()
    assert {"python", "torch", "numpy"} <= set(row["libraries"])
    assert row["finished_at"] >= row["started_at"]
