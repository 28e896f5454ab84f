from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prototype_rows import decision, learn, prototype, publish_decisions
from sql_catalog import error, fill, image, mask, publish

from maskmill.catalogs import sql_tables
from maskmill.catalogs.query import query
from maskmill.catalogs.sql_tables import PinnedTables
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.views import VIEWS, Shape

Row = dict[str, Any]
BOX = (0, 0, 10, 10)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fill(Catalog.create_or_open(str(tmp_path_factory.mktemp("sql") / "c"))).uri


@pytest.fixture
def empty(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path / "c"))


def rows(uri: str, sql: str) -> list[Row]:
    found: list[Row] = query(uri, sql).to_pylist()
    return found


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


def names(uri: str, version: int | None = None) -> dict[str, str | None]:
    """Return prototype id -> label."""
    found = query(uri, "SELECT prototype_id, label FROM prototype_names", version).to_pylist()
    return {row["prototype_id"]: row["label"] for row in found}


def test_prototypes_go_by_the_newest_decision(empty: Catalog) -> None:
    before = learn(empty, "named", "renamed", "rejected", "reset", "undecided")
    publish_decisions(
        empty,
        "1",
        decision("named", "name", 1, name="zebra"),
        decision("renamed", "name", 2, name="okapi"),
        decision("renamed", "name", 1, name="horse"),
        decision("rejected", "reject", 1, decided_by="Ada"),
        decision("reset", "name", 1, name="cow"),
        decision("reset", "reset", 2),
    )
    expected = {"named": "zebra", "rejected": None, "renamed": "okapi"}
    assert names(empty.uri) == expected | {"reset": "reset", "undecided": "undecided"}
    found = rows(empty.uri, "SELECT key, label, label_kind FROM latest_masks ORDER BY key")
    assert [(row["key"], row["label"]) for row in found] == [
        ("of named", "zebra"),
        ("of renamed", "okapi"),
        ("of reset", "reset"),
        ("of undecided", "undecided"),
    ]
    assert {row["label_kind"] for row in found} == {"prototype"}
    assert set(names(empty.uri, before).values()) == {"named", "renamed", "rejected", "reset", "undecided"}
    assert rows(empty.uri, "SELECT label FROM masks WHERE key = 'of rejected'") == [{"label": "rejected"}]
    (one,) = rows(empty.uri, "FROM prototype_names WHERE prototype_id = 'rejected'")
    assert (one["decision"], one["decided_by"], one["merged_to"]) == ("reject", "Ada", "rejected")


def test_merges_are_followed_to_their_end(empty: Catalog) -> None:
    learn(empty, "a", "b", "c", "x", "y")
    chain = [decision("a", "merge", 1, merge_into="b"), decision("b", "merge", 1, merge_into="c")]
    other = decision("x", "merge", 1, merge_into="y")
    publish_decisions(empty, "1", *chain, other)
    assert names(empty.uri) == {"a": "c", "b": "c", "c": "c", "x": "y", "y": "y"}
    publish_decisions(empty, "2", decision("c", "name", 2, name="zebra"), decision("y", "reject", 2))
    assert names(empty.uri) == {"a": "zebra", "b": "zebra", "c": "zebra", "x": None, "y": None}
    publish_decisions(empty, "3", decision("b", "reset", 3))
    assert names(empty.uri) == {"a": "b", "b": "b", "c": "zebra", "x": None, "y": None}


def test_a_circle_of_merges_made_at_once_ends_nowhere_and_changes_nothing(empty: Catalog) -> None:
    learn(empty, "a", "b", "c")
    circle = [decision("a", "merge", 1, merge_into="b"), decision("b", "merge", 1, merge_into="a")]
    publish_decisions(empty, "1", *circle, decision("c", "merge", 1, merge_into="a"))
    assert names(empty.uri) == {"a": "a", "b": "b", "c": "c"}
    publish_decisions(empty, "2", decision("b", "name", 2, name="zebra"))
    assert set(names(empty.uri).values()) == {"zebra"}


def test_a_known_prototype_has_its_name_from_the_first(empty: Catalog) -> None:
    known = prototype("k", kind="known", name="cat")
    publish(empty, "prototypes-1", 1, {"prototypes": [known, prototype("p")]})
    publish_decisions(empty, "1", decision("p", "merge", 1, merge_into="k"))
    assert names(empty.uri) == {"k": "cat", "p": "cat"}
    publish(empty, "prototypes-2", 2, {"prototypes": [known | {"name": "feline"}]})
    assert names(empty.uri) == {"k": "feline", "p": "feline"}


def test_class_stats_count_an_image_once_whose_masks_now_share_a_name(empty: Catalog) -> None:
    learnt = {"label_kind": "prototype"}
    boxes = [mask("a", "p", BOX, 0.2, **learnt), mask("a", "q", (20, 0, 10, 10), 0.4, **learnt)]
    masks = [*boxes, mask("a", "cat", (40, 0, 10, 10), 0.6), mask("b", "p", (0, 0, 20, 20), 0.8, **learnt)]
    others = [mask("b", "x", BOX, 0.5, **learnt), mask("b", "q", BOX, 0.5)]
    images = {"images": [image("a", 3), image("b", 3)], "masks": [*masks, *others]}
    publish(empty, "label-1", 1, images)
    publish(empty, "prototypes-1", 2, {"prototypes": [prototype(name) for name in "pqx"]})
    names_it = [decision(name, "name", 1, name="cat") for name in "pq"]
    publish_decisions(empty, "1", *names_it, decision("x", "reject", 1))
    cat, other = rows(empty.uri, "FROM class_stats")
    assert cat == {
        "label": "cat",
        "images": 2,
        "image_share": 1.0,
        "pixels": 100 + 100 + 100 + 400,
        "pixel_share": pytest.approx(700 / 800),
        "mean_area_fraction": pytest.approx(700 / 4 / 2400),
        "mean_score": pytest.approx(0.5),
        "small": 4,
        "reviewed": 0,
    }
    assert (other["label"], other["images"], other["pixels"]) == ("q", 1, 100)  # a class of a vocabulary


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


ONCE = {"counts": json.dumps({"repeated": 0})}


def _two_corpora(catalog: Catalog) -> None:
    for corpus in ("web", "photos"):
        images = [image(f"{corpus}{key}", 1) for key in "ab"] + [image(f"{corpus}c", 0, "no_vocabulary")]
        masks = [mask(f"{corpus}a", "cat", BOX, 0.5), mask(f"{corpus}b", "dog", BOX, 0.7)]
        publish(catalog, f"label-{corpus}", 1, {"images": images, "masks": masks}, corpus=corpus, **ONCE)
    publish(catalog, "label-3", 3, {"images": [image("weba", 1)]}, status="failed", reason="power", **ONCE)


def test_where_every_image_was_seen_once_nothing_is_joined(
    empty: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views are then other statements, and must say the same."""
    _two_corpora(empty)
    assert PinnedTables.of(empty.uri, None).shape == Shape(False, False, False)
    names = [name for name in VIEWS if name != "run_summary"]
    simple = {name: rows(empty.uri, f"FROM {name} ORDER BY ALL") for name in names}
    monkeypatch.setattr(sql_tables, "_shape", lambda runs, prototypes: Shape())
    assert {name: rows(empty.uri, f"FROM {name} ORDER BY ALL") for name in names} == simple
    assert len(simple["latest_masks"]) == 4
    assert {row["label"]: row["images"] for row in simple["class_stats"]} == {"cat": 2, "dog": 2}


def test_what_a_version_holds_decides_what_its_views_reckon_with(empty: Catalog) -> None:
    publish(empty, "label-1", 1, {"images": [image("a", 0)]}, **ONCE)
    publish(empty, "label-2", 2, {"images": [image("a", 0)]}, corpus="other")
    publish(empty, "label-3", 3, {"images": [image("a", 0)]}, **ONCE)
    publish(empty, "review-4", 4, {"images": [image("a", 0, "reviewed")]}, corpus="more", **ONCE)
    shapes = [PinnedTables.of(empty.uri, version).shape for version in range(1, 5)]
    assert shapes[0] == Shape(False, False, False)
    assert shapes[1] == Shape(True, False, False)  # a run that did not count its own images
    assert shapes[2] == Shape(True, False, False)
    assert shapes[3] == Shape(True, True, False)
    learn(empty, "p")
    assert PinnedTables.of(empty.uri, None).shape.prototypes
