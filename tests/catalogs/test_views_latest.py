"""Which run speaks for an image in ``latest_images`` and ``latest_masks``; reviews may be stale."""

from __future__ import annotations

from sql_catalog import BOX, image, mask, publish, rows

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.views import VIEWS


def speaking(uri: str) -> dict[str, str]:
    """Return key -> the run that speaks for it, of the corpus web."""
    sql = "SELECT key, run_id FROM latest_images WHERE corpus = 'web'"
    return {row["key"]: row["run_id"] for row in rows(uri, sql)}


def test_a_review_comes_first_then_the_newest_run_that_saw_the_image(filled: str) -> None:
    assert speaking(filled) == {
        "a": "label-new",
        "b": "review-1",
        "c": "label-old",  # the newer run had no vocabulary for it
        "d": "review-1",
        "e": "label-new",  # seen by no run
        "f": "review-1",
    }
    assert rows(filled, "SELECT key FROM latest_images WHERE corpus = 'books'") == [{"key": "a"}]


def test_latest_masks_are_those_of_the_run_that_speaks_for_the_image(filled: str) -> None:
    found = rows(filled, "SELECT corpus, key, label, run_id FROM latest_masks ORDER BY ALL")
    assert [tuple(row.values()) for row in found] == [
        ("books", "a", "cat", "label-books"),
        ("web", "a", "cat", "label-new"),
        ("web", "a", "sofa", "label-new"),
        ("web", "b", "dog", "review-1"),
        ("web", "c", "dog", "label-old"),
        ("web", "d", "cat", "review-1"),
        ("web", "d", "dog", "review-1"),
    ]


def test_the_latest_views_have_the_columns_of_their_tables(filled: str) -> None:
    for view, table in (("latest_images", "images"), ("latest_masks", "masks")):
        assert rows(filled, f"DESCRIBE {view}") == rows(filled, f"DESCRIBE {table}")


def test_an_earlier_version_knows_no_later_review(filled: str) -> None:
    found = query(filled, "SELECT DISTINCT run_id FROM latest_masks ORDER BY 1", 3)
    assert found["run_id"].to_pylist() == ["label-new", "label-old"]


def test_a_newer_label_run_does_not_undo_a_review_but_a_newer_review_does(empty: Catalog) -> None:
    first, second = mask("a", "cat", BOX, 1.0), mask("a", "dog", BOX, 1.0)
    publish(empty, "review-b", 1, {"images": [image("a", 1, "reviewed")], "masks": [first]})
    publish(empty, "label-1", 2, {"images": [image("a", 1)], "masks": [second]})
    assert rows(empty.uri, "SELECT label FROM latest_masks") == [{"label": "cat"}]
    publish(empty, "review-a", 3, {"images": [image("a", 1, "reviewed")], "masks": [second]})
    assert rows(empty.uri, "SELECT label FROM latest_masks") == [{"label": "dog"}]


def test_a_review_without_masks_says_that_there_is_nothing(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 1)], "masks": [mask("a", "cat", BOX, 0.5)]})
    publish(empty, "review-1", 2, {"images": [image("a", 0, "reviewed")]})
    assert rows(empty.uri, "FROM latest_masks") == []
    assert speaking(empty.uri) == {"a": "review-1"}


def test_runs_that_finish_together_are_told_apart_by_their_id(empty: Catalog) -> None:
    for run_id in ("label-2", "label-10"):
        publish(empty, run_id, 1, {"images": [image("a", 0)]})
    assert speaking(empty.uri) == {"a": "label-2"}


def test_a_key_in_two_shards_is_one_image(empty: Catalog) -> None:
    shards = ("00000", "00001", "00002")
    images = [image("a", 1, shard_id=shard) for shard in shards]
    masks = [mask("a", "cat", BOX, i / 4, shard_id=shard) for i, shard in enumerate(shards)]
    publish(empty, "label-1", 1, {"images": images, "masks": masks})
    sql = "SELECT i.shard_id AS i, m.shard_id AS m FROM latest_images i JOIN latest_masks m USING (image_id)"
    (chosen,) = rows(empty.uri, sql)
    assert chosen["i"] == chosen["m"]
    assert rows(empty.uri, sql) == [chosen]


def test_runs_that_failed_do_not_speak(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 0)]}, status="failed", reason="killed")
    for name in VIEWS:
        expected = 1 if name == "run_summary" else 0
        assert len(rows(empty.uri, f'FROM "{name}"')) == expected, name
    publish(empty, "label-2", 0, {"images": [image("a", 0)]})
    assert speaking(empty.uri) == {"a": "label-2"}


def test_a_review_of_another_file_does_not_replace_what_is_labelled_now(empty: Catalog) -> None:
    labelled, drawn = mask("a", "cat", BOX, 0.5), mask("a", "dog", BOX, 1.0)
    old, new = image("a", 1, "reviewed", sha256="old"), image("a", 1, sha256="new")
    publish(empty, "review-1", 1, {"images": [old], "masks": [drawn]})
    assert speaking(empty.uri) == {"a": "review-1"}  # no run has labelled another file yet
    publish(empty, "label-1", 2, {"images": [new], "masks": [labelled]})
    publish(empty, "review-2", 3, {"images": [old], "masks": [drawn]})
    assert speaking(empty.uri) == {"a": "label-1"}
    assert rows(empty.uri, "SELECT label FROM latest_masks") == [{"label": "cat"}]
    assert rows(empty.uri, "SELECT label, reviewed FROM class_stats") == [{"label": "cat", "reviewed": 0}]


def test_a_stale_review_gives_way_to_an_earlier_one_of_the_same_file(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 0)]})
    publish(empty, "review-1", 2, {"images": [image("a", 0, "reviewed")]})
    publish(empty, "review-2", 3, {"images": [image("a", 0, "reviewed", sha256="other")]})
    assert speaking(empty.uri) == {"a": "review-1"}


def test_a_review_holds_for_the_file_of_the_run_that_saw_it(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 0, sha256="one")]})
    publish(empty, "label-2", 2, {"images": [image("a", 0, "no_vocabulary", sha256="two")]})
    publish(empty, "review-1", 3, {"images": [image("a", 0, "reviewed", sha256="two")]})
    assert speaking(empty.uri) == {"a": "label-1"}
    publish(empty, "review-2", 4, {"images": [image("a", 0, "reviewed", sha256="one")]})
    assert speaking(empty.uri) == {"a": "review-2"}
