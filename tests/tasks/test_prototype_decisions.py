from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prototype_rows import learn
from sql_catalog import image, mask, publish

from maskmill.catalogs.prototypes import Decision, resolved_names
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError
from maskmill.tasks.prototype_decisions import decide

THEN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def learnt(tmp_path: Path) -> str:
    catalog = Catalog.create_or_open(str(tmp_path / "c"))
    learn(catalog, "p1", "p2", "p3", "p4")
    return catalog.uri


def labels(uri: str, version: int | None = None) -> dict[str, str]:
    found = query(uri, "SELECT key, label FROM latest_masks ORDER BY key", version).to_pylist()
    return {row["key"].removeprefix("of "): row["label"] for row in found}


def test_decisions_name_merge_reject_and_are_taken_back(learnt: str) -> None:
    first = decide(
        learnt,
        [
            Decision("p1", "name", name="zebra", reason="stripes", decided_by="Ada"),
            Decision("p2", "merge", merge_into="p1", decided_by="Bob"),
            Decision("p3", "reject"),
        ],
    )
    assert (first.kind, first.counts) == ("decisions", {"decisions": 3, "name": 1, "merge": 1, "reject": 1})
    assert labels(learnt) == {"p1": "zebra", "p2": "zebra", "p4": "p4"}
    again = decide(learnt, [Decision("p3", "reset"), Decision("p1", "name", name="okapi")])
    assert labels(learnt) == {"p1": "okapi", "p2": "okapi", "p3": "p3", "p4": "p4"}
    assert labels(learnt, first.version) == {"p1": "zebra", "p2": "zebra", "p4": "p4"}
    assert again.version == first.version + 1


def test_no_mask_is_rewritten(learnt: str) -> None:
    before = Catalog.open(learnt).files("masks")
    decide(learnt, [Decision("p1", "name", name="zebra"), Decision("p2", "reject")])
    assert Catalog.open(learnt).files("masks") == before
    stored = query(learnt, "SELECT label FROM masks ORDER BY label")["label"].to_pylist()
    assert stored == ["p1", "p2", "p3", "p4"]


def test_the_run_says_who_decided_and_the_rows_what(learnt: str) -> None:
    decide(
        learnt, [Decision("p1", "name", name="zebra", reason="stripes", decided_by="Ada", decided_at=THEN)]
    )
    row = Catalog.open(learnt).newest_run("decisions", Catalog.open(learnt).version())
    assert row["config"]["decided_by"] == ["Ada"]
    assert row["counts"] == {"decisions": 1, "name": 1}
    (stored,) = query(learnt, "FROM prototype_decisions").to_pylist()
    assert (stored["name"], stored["reason"], stored["decided_by"]) == ("zebra", "stripes", "Ada")
    assert stored["decided_at"] == THEN


def test_decisions_with_their_time_given_again_change_nothing(learnt: str) -> None:
    decisions = [Decision("p1", "name", name="zebra", decided_at=THEN)]
    first = decide(learnt, decisions)
    again = decide(learnt, decisions)
    assert again.resumed
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert query(learnt, "FROM prototype_decisions").num_rows == 1


def test_the_newest_decision_counts_in_whatever_order_they_are_brought(learnt: str) -> None:
    decide(learnt, [Decision("p1", "name", name="late", decided_at=THEN + timedelta(days=1))])
    decide(learnt, [Decision("p1", "name", name="early", decided_at=THEN)])
    assert resolved_names(learnt)["p1"] == "late"


def test_a_circle_over_two_calls_is_refused_and_leaves_nothing(learnt: str) -> None:
    done = decide(learnt, [Decision("p1", "merge", merge_into="p2")])
    with pytest.raises(ConfigError, match="in a circle: 'p2' into 'p1' into 'p2'"):
        decide(learnt, [Decision("p2", "merge", merge_into="p1")])
    assert Catalog.open(learnt).version() == done.version
    assert labels(learnt)["p1"] == "p2"


def test_a_prototype_must_be_there(learnt: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no prototype 'p9'; there are 4"):
        decide(learnt, [Decision("p9", "reject")])
    with pytest.raises(CatalogError, match="no catalog at"):
        decide(str(tmp_path / "missing"), [Decision("p1", "reject")])
    with pytest.raises(ConfigError, match="no decision is given"):
        decide(learnt, [])


def test_a_name_may_be_any_text(learnt: str) -> None:
    name = 'Jack\'s "best"\n; DROP TABLE masks; -- ü🦓'
    decide(learnt, [Decision("p1", "name", name=name)])
    assert labels(learnt)["p1"] == name
    escaped = name.replace("'", "''")
    assert query(learnt, f"FROM class_stats WHERE label = '{escaped}'").num_rows == 1


def test_a_mask_of_a_vocabulary_class_is_not_taken_for_a_prototype(learnt: str) -> None:
    catalog = Catalog.open(learnt)
    drawn = [mask("z", "p1", (20, 20, 5, 5), 0.5)]
    publish(catalog, "label-z", 25, {"images": [image("z", 1)], "masks": drawn})
    decide(learnt, [Decision("p1", "reject")])
    assert query(learnt, "FROM masks WHERE label = 'p1'").num_rows == 2
    assert labels(learnt) == {"p2": "p2", "p3": "p3", "p4": "p4", "z": "p1"}
