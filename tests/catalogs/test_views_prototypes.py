"""Prototypes and the masks that go by them, named, merged and rejected by people."""

from __future__ import annotations

import pytest
from prototype_rows import decision, learn, prototype, publish_decisions
from sql_catalog import BOX, image, mask, publish, rows

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog


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
