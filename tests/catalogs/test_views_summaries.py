"""The views that count: of classes, runs and errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sql_catalog import BOX, error, image, mask, publish, rows

from maskmill.catalogs.store import Catalog


def test_class_stats_count_each_image_once(filled: str) -> None:
    dog, sofa = rows(filled, "FROM class_stats WHERE label <> 'cat'")
    assert dog == {
        "label": "dog",
        "images": 3,
        "image_share": pytest.approx(3 / 6),  # of a, b, c, d, f and the book's a; e was not seen
        "pixels": 400 + 1200 + 64,
        "pixel_share": pytest.approx(1664 / (1664 + 1200 + 900 + 600 + 81)),
        "mean_area_fraction": pytest.approx(1664 / 2400 / 3),
        "mean_score": pytest.approx(0.6),
        "small": 2,
        "reviewed": 2,
    }
    assert (sofa["label"], sofa["mean_score"], sofa["reviewed"]) == ("sofa", pytest.approx(0.8), 0)


def test_people_have_no_score(empty: Catalog) -> None:
    tables = {"images": [image("a", 1, "reviewed")], "masks": [mask("a", "cat", BOX, 1.0)]}
    publish(empty, "review-1", 1, tables)
    assert rows(empty.uri, "SELECT mean_score, reviewed FROM class_stats") == [
        {"mean_score": None, "reviewed": 1}
    ]


def test_run_summary_counts_what_the_version_shows(filled: str) -> None:
    found = {row["run_id"]: row for row in rows(filled, "FROM run_summary")}
    assert list(found) == [
        *("filter-1", "label-old", "label-new", "label-books"),
        *("review-1", "label-failed", "train-1", "evaluate-1"),
    ]
    assert found["label-new"] == {
        "run_id": "label-new",
        "kind": "label",
        "status": "finished",
        "reason": None,
        "corpus": "web",
        "parent_run_id": "filter-1",
        "started_at": datetime(2026, 1, 4, tzinfo=UTC),
        "finished_at": datetime(2026, 1, 4, 0, 0, 2, tzinfo=UTC),
        "seconds": 2.0,
        "images": 6,
        "seen_images": 4,
        "masks": 5,
        "captions": 0,
        "kept_captions": 0,
        "errors": 3,
        "images_per_second": 3.0,
        "captions_per_second": None,
        "code_version": "0.1.0",
        "config_hash": "c0ffee",
    }
    words, failed = found["filter-1"], found["label-failed"]
    assert (words["captions"], words["kept_captions"], words["captions_per_second"]) == (5, 4, 2.5)
    assert (failed["reason"], failed["images"], failed["images_per_second"]) == ("too many errors", 0, None)


def test_a_run_that_took_no_time_has_no_speed(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 0)]}, seconds=0.0)
    assert rows(empty.uri, "SELECT images_per_second AS s FROM run_summary") == [{"s": None}]


def test_error_summary_names_the_first_of_each_reason(empty: Catalog) -> None:
    errors = [error("z", "too_large", "1"), error("b", "too_large"), error("a", "too_large", "2")]
    publish(empty, "label-1", 1, {"errors": [*errors, error(None, "unreadable_shard", "3")]})
    where = {"run_id": "label-1", "stage": "label", "corpus": "web"}
    many = {"reason": "too_large", "errors": 3, "shards": 3, "example": {"key": "b", "detail": "bad"}}
    one = {"reason": "unreadable_shard", "errors": 1, "shards": 1, "example": {"key": None, "detail": "bad"}}
    assert rows(empty.uri, "FROM error_summary") == [where | many, where | one]
