from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from exporting import Drawn, commit_run, disc, jpeg
from prototype_rows import learn

from maskmill.catalogs.exporters import ExportConfig, export
from maskmill.catalogs.exporters.source import ExportSource
from maskmill.catalogs.prototypes import Decision
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import ConfigError
from maskmill.tasks.prototype_decisions import decide

IDS = ("p1", "p2", "p3", "p4")


@pytest.fixture
def learnt(catalog: Catalog, tmp_path: Path) -> Catalog:
    """A catalog whose one image shows four prototypes side by side."""
    learn(catalog, *IDS)
    masks = tuple((name, 0.5, disc(10 + 24 * n, 40, 9)) for n, name in enumerate(IDS))
    commit_run(catalog, tmp_path, {"00000": {"a": Drawn(jpeg(0), masks, kind="prototype")}})
    return catalog


def _masks(catalog: Catalog, **config: Any) -> list[tuple[str, bytes]]:
    (record,) = ExportSource(catalog.uri, ExportConfig(images="none", **config)).records("00000")
    return sorted((mask.label, mask.rle) for mask in record.masks)


def test_decisions_name_merge_and_reject_as_in_the_view(learnt: Catalog) -> None:
    assert [label for label, _ in _masks(learnt)] == list(IDS)
    undecided = learnt.version()
    decided = [Decision("p1", "name", name="kite"), Decision("p2", "merge", merge_into="p1")]
    decide(learnt.uri, [*decided, Decision("p3", "reject")])
    found = _masks(learnt)
    assert [label for label, _ in found] == ["kite", "kite", "p4"]
    statement = "SELECT label, rle FROM latest_masks WHERE corpus = 'c' ORDER BY ALL"
    rows = query(learnt.uri, statement).to_pylist()
    assert found == [(row["label"], row["rle"]) for row in rows]
    assert ExportSource(learnt.uri, ExportConfig()).classes.names == ("background", "kite", "p4")
    assert [label for label, _ in _masks(learnt, version=undecided)] == list(IDS)


def test_another_decision_is_another_export(learnt: Catalog, tmp_path: Path) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("kite\n")
    config = ExportConfig(format="labelstudio", images="none", classes=str(classes))
    decide(learnt.uri, [Decision("p1", "name", name="kite"), Decision("p2", "merge", merge_into="p1")])
    summary = export(learnt.uri, tmp_path / "out", config)
    assert summary.counts["regions"] == 2
    regions = (summary.out / "tasks" / "tasks-00000.json").read_text("utf-8").split('"id": "')[1:]
    assert len({region[:10] for region in regions}) == 2  # though they have one label
    decide(learnt.uri, [Decision("p2", "reset")])
    with pytest.raises(ConfigError, match="finished export with another classes_and_shards"):
        export(learnt.uri, tmp_path / "out", config)
