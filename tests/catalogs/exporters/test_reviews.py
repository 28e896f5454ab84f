from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exporting import ROTATED, SHARDS, Drawn, commit_run, disc, jpeg

from maskmill.catalogs.exporters import ExportConfig, export
from maskmill.catalogs.exporters.source import ExportSource
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import ConfigError

Shards = dict[str, dict[str, Drawn]]
Seen = set[tuple[str, str, bytes]]

BIRD = (("bird", 1.0, disc(20, 20, 9)),)
FISH = (("fish", 1.0, disc(50, 50, 12)),)
FIRST: Shards = {
    "00000": {"0000": Drawn(jpeg(0), BIRD), "0001": Drawn(jpeg(1), BIRD)},
    "00002": {"2000": Drawn(jpeg(4))},
}
SECOND: Shards = {"00000": {"0001": Drawn(jpeg(1), FISH)}}


def _seen(catalog: Catalog, **config: Any) -> Seen:
    source = ExportSource(catalog.uri, ExportConfig(images="none", **config))
    records = [record for shard in source.shards for record in source.records(shard)]
    return {(record.key, mask.label, mask.rle) for record in records for mask in record.masks}


def _latest(catalog: Catalog) -> Seen:
    rows = query(catalog.uri, "SELECT key, label, rle FROM latest_masks").to_pylist()
    return {(row["key"], row["label"], row["rle"]) for row in rows}


@pytest.fixture
def reviewed(labelled: Catalog, corpus: Path) -> Catalog:
    commit_run(labelled, corpus, FIRST, "review-1")
    commit_run(labelled, corpus, SECOND, "review-2")
    return labelled


def test_the_last_review_of_an_image_stands_in_for_its_masks(reviewed: Catalog) -> None:
    source = ExportSource(reviewed.uri, ExportConfig())
    assert source.run_id == "label-1"
    assert source.reviews.run_ids == ("review-1", "review-2")
    found = {r.key: r for shard in source.shards for r in source.records(shard)}
    labels = {key: [m.label for m in record.masks] for key, record in found.items()}
    assert labels["0000"] == ["bird"]
    assert labels["0001"] == ["fish"]
    assert labels["2000"] == []
    assert labels["1000"] == ["dog", "tree", "cat"]
    assert {key for key, record in found.items() if record.corrected} == {"0000", "0001", "2000"}
    assert source.classes.names == ("background", "bird", "cat", "dog", "fish", "tree")


def test_it_is_what_the_view_of_the_latest_masks_holds(reviewed: Catalog, corpus: Path) -> None:
    assert _seen(reviewed) == _latest(reviewed)
    commit_run(reviewed, corpus, SHARDS, "label-2")  # labelled again: the reviews still count
    assert _seen(reviewed) == _latest(reviewed)
    compact(reviewed.uri)
    assert _seen(reviewed) == _latest(reviewed)


def test_reviews_are_left_aside_where_that_is_wanted(reviewed: Catalog) -> None:
    before = _seen(reviewed, version=1)
    assert {label for _, label, _ in before} == {"cat", "dog", "tree"}
    assert _seen(reviewed, corrections=False) == before
    assert _seen(reviewed, version=2) != before
    assert ExportSource(reviewed.uri, ExportConfig(version=2)).reviews.run_ids == ("review-1",)


def test_failed_reviews_and_those_of_another_corpus_do_not_count(labelled: Catalog, corpus: Path) -> None:
    commit_run(labelled, corpus, FIRST, "review-1", status="failed")
    commit_run(labelled, corpus, FIRST, "review-2", corpus="other")
    assert ExportSource(labelled.uri, ExportConfig()).reviews.run_ids == ()


def test_a_review_of_another_file_under_the_same_key_does_not_count(labelled: Catalog, corpus: Path) -> None:
    changed = {"00000": {"0000": Drawn(jpeg(7), BIRD), "0001": Drawn(jpeg(1), FISH)}}
    commit_run(labelled, corpus, FIRST, "review-1")
    commit_run(labelled, corpus, changed, "review-2")
    source = ExportSource(labelled.uri, ExportConfig())
    labels = {r.key: [m.label for m in r.masks] for r in source.records("00000")}
    assert labels == {"0000": ["bird"], "0001": ["fish"], ROTATED: ["tree"]}


def test_an_image_that_the_segmenter_passed_over_is_exported_once_it_is_reviewed(
    catalog: Catalog, corpus: Path
) -> None:
    passed = {key: Drawn(item.image, item.masks, item.size) for key, item in SHARDS["00000"].items()}
    passed["0001"] = Drawn(jpeg(1), status="too_small")
    commit_run(catalog, corpus, {"00000": passed})
    assert [r.key for r in ExportSource(catalog.uri, ExportConfig()).records("00000")] == ["0000", ROTATED]
    commit_run(catalog, corpus, FIRST, "review-1")
    found = list(ExportSource(catalog.uri, ExportConfig()).records("00000"))
    assert [(r.key, r.corrected) for r in found] == [("0000", True), ("0001", True), (ROTATED, False)]


def test_reviews_are_found_in_shards_of_another_cut(labelled: Catalog, corpus: Path) -> None:
    commit_run(labelled, corpus, {"00001": FIRST["00000"], "x": FIRST["00002"]}, "review-1")
    assert {(key, label) for key, label, _ in _seen(labelled)} == {
        ("0000", "bird"),
        ("0001", "bird"),
        (ROTATED, "tree"),
        ("1000", "cat"),
        ("1000", "tree"),
        ("1000", "dog"),
    }


def test_the_export_says_which_reviews_it_holds(reviewed: Catalog, corpus: Path, tmp_path: Path) -> None:
    summary = export(reviewed.uri, tmp_path / "out", ExportConfig())
    body = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert body["review_run_ids"] == ["review-1", "review-2"] == list(summary.review_run_ids)
    assert (body["counts"]["corrected"], body["counts"]["images"], body["counts"]["masks"]) == (3, 5, 6)
    assert export(reviewed.uri, tmp_path / "out", ExportConfig()).shards_done == 0
    commit_run(reviewed, corpus, FIRST, "review-3")
    with pytest.raises(ConfigError, match="another classes_and_shards, review_run_ids"):
        export(reviewed.uri, tmp_path / "out", ExportConfig())
    assert export(reviewed.uri, tmp_path / "out", ExportConfig(version=3)).shards_done == 0


def test_without_reviews_the_flag_makes_no_difference(labelled: Catalog, tmp_path: Path) -> None:
    summary = export(labelled.uri, tmp_path / "out", ExportConfig())
    assert "corrected" not in summary.counts
    assert export(labelled.uri, tmp_path / "out", ExportConfig(corrections=False)).shards_done == 0
