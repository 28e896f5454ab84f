from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prototype_rows import learn, prototype
from sql_catalog import publish

from maskmill.catalogs.files import read_files
from maskmill.catalogs.prototypes import (
    Decision,
    PrototypeName,
    append_prototypes,
    check_decisions,
    prototype_names,
    resolved_names,
)
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError

MakeRow = Callable[..., dict[str, Any]]
UNDECIDED = {name: PrototypeName(name, name, "unknown", None, None) for name in ("p1", "p2", "p3")}


def test_prototypes_come_back_as_they_were_written(catalog: Catalog) -> None:
    rows = [prototype("p1"), prototype("p2", kind="known", name="cat", vector=[1.0, 0.0])]
    assert append_prototypes(catalog, "prototypes-1", rows) == 2
    assert append_prototypes(catalog, "prototypes-1", rows) == 2
    assert len(catalog.run_files("prototypes", "prototypes-1")) == 1
    publish(catalog, "prototypes-1", 1, {})
    (first, second) = read_files("prototypes", catalog.files("prototypes")).to_pylist()
    assert first["vector"] == pytest.approx([0.6, 0.8])
    assert first["nearest_words"][0] == {"word": "animal", "similarity": 0.25}
    assert first["exemplars"][0]["label"] == "p1"
    assert (second["kind"], second["name"], second["support"], second["share"]) == ("known", "cat", 3, 0.5)
    nearest = query(
        catalog.uri, "SELECT nearest_words[1].word AS w, vector[2] AS x FROM prototypes"
    ).to_pylist()
    assert nearest[0] == {"w": "animal", "x": pytest.approx(0.8)}


def test_a_vector_of_many_dimensions_is_of_length_one_after_rounding(catalog: Catalog) -> None:
    vector = np.random.default_rng(0).normal(size=1024)
    row = prototype("p", vector=(vector / np.linalg.norm(vector)).astype(np.float32).tolist())
    assert append_prototypes(catalog, "r", [row]) == 1


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"vector": [1.0, 1.0]}, "the vector of prototype 'p2' has length 1.414, not 1"),
        ({"vector": []}, "has length 0, not 1"),
        ({"vector": [float("nan"), 1.0]}, "has length nan, not 1"),
        ({"vector": [1.0]}, "has 1 numbers, others 2"),
        ({"prototype_id": "p1"}, "prototype 'p1' is there twice"),
        ({"kind": "new"}, "is of kind 'new', not one of known, unknown"),
        ({"kind": "known"}, "is known and has no name"),
        ({"share": 1.5}, "a share outside of 0 to 1"),
        ({"support": -1}, "a support below 0"),
        ({"encoder": None, "vector": [1.0]}, "encoder must not be null"),
        ({"colour": "red"}, "it has no column colour"),
    ],
)
def test_rows_that_are_no_prototypes_are_refused(
    catalog: Catalog, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CatalogError, match=f"do not fit table 'prototypes': .*{complaint}"):
        append_prototypes(catalog, "r", [prototype("p1"), prototype("p2") | changes])
    assert catalog.run_files("prototypes", "r") == []


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"decision": "name"}, "is to name it, and name is missing"),
        ({"decision": "name", "name": "  "}, "name is missing"),
        ({"decision": "merge"}, "merge_into is missing"),
        ({"decision": "reject", "name": "cat"}, "is to reject it, which has no name"),
        ({"decision": "name", "name": "cat", "merge_into": "p2"}, "is to name it, which has no merge_into"),
        ({"decision": "rename"}, "is 'rename'; it must be name, merge, reject or reset"),
        ({"decision": "reset", "decided_at": datetime(2026, 1, 1)}, "without a time zone"),
    ],
)
def test_a_decision_says_all_that_it_needs_and_no_more(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Decision("p1", **fields)


def test_decisions_that_cannot_stand_together_are_refused() -> None:
    def merge(one: str, into: str) -> Decision:
        return Decision(one, "merge", merge_into=into)

    with pytest.raises(ConfigError, match="no decision is given"):
        check_decisions(UNDECIDED, [])
    with pytest.raises(ConfigError, match="two decisions on prototype 'p1' at once"):
        check_decisions(UNDECIDED, [Decision("p1", "reject"), Decision("p1", "reset")])
    with pytest.raises(CatalogError, match="no prototype 'p9'; there are 3: p1, p2, p3"):
        check_decisions(UNDECIDED, [merge("p1", "p9")])
    with pytest.raises(CatalogError, match="no prototype 'p'"):
        check_decisions({}, [Decision("p", "reject")])
    with pytest.raises(ConfigError, match="merged in a circle: 'p1' into 'p1'"):
        check_decisions(UNDECIDED, [merge("p1", "p1")])
    with pytest.raises(ConfigError, match="in a circle: 'p1' into 'p2' into 'p3' into 'p1'"):
        check_decisions(UNDECIDED, [merge("p1", "p2"), merge("p2", "p3"), merge("p3", "p1")])
    later = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(ConfigError, match="'p1' was taken in the future"):
        check_decisions(UNDECIDED, [Decision("p1", "reject", decided_at=later)])


def test_a_circle_is_seen_through_earlier_merges_unless_it_is_broken_up_at_once() -> None:
    merged = UNDECIDED | {
        "p1": PrototypeName("p1", "p2", "unknown", "merge", "p2"),
        "p2": PrototypeName("p2", "p3", "unknown", "merge", "p3"),
    }
    into_first = Decision("p3", "merge", merge_into="p1")
    with pytest.raises(ConfigError, match="'p3' into 'p1' into 'p2' into 'p3'"):
        check_decisions(merged, [into_first])
    check_decisions(merged, [into_first, Decision("p2", "reset")])


def test_names_are_those_of_a_version(catalog: Catalog) -> None:
    before = learn(catalog, "p1", "p2")
    assert resolved_names(catalog.uri) == {"p1": "p1", "p2": "p2"}
    row = {"decision_id": "d", "prototype_id": "p1", "decision": "reject", "decided_at": datetime.now(UTC)}
    publish(catalog, "decisions-1", 30, {"prototype_decisions": [row]})
    assert resolved_names(catalog.uri) == {"p1": None, "p2": "p2"}
    assert resolved_names(catalog.uri, before) == {"p1": "p1", "p2": "p2"}
    assert prototype_names(catalog.uri)["p1"] == PrototypeName("p1", None, "unknown", "reject", None)


def test_a_catalog_without_prototypes_has_no_names(catalog: Catalog, tmp_path: Path) -> None:
    publish(catalog, "label-1", 1, {})
    assert resolved_names(catalog.uri) == {}
    with pytest.raises(CatalogError, match="no catalog at"):
        resolved_names(str(tmp_path / "missing"))
