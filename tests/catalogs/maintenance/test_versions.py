from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.tagging import tag
from maskmill.catalogs.maintenance.versions import history
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError


def test_every_version_has_its_run_and_its_tags(
    labelled: Catalog, label: Callable[..., int], run_row: Callable[..., dict[str, Any]]
) -> None:
    labelled.publish(run_row("failed", reason="too many errors", kind="filter", counts="{}"), "f")
    label(labelled, "b", seed=100)
    compact(labelled.uri, "a")
    tag(labelled.uri, "paper", 1)
    tag(labelled.uri, "first", 1)
    entries = history(labelled.uri)
    assert [(e.version, e.run_id, e.kind, e.status, e.again, e.tags) for e in entries] == [
        (1, "a", "label", "finished", False, ("first", "paper")),
        (2, "f", "filter", "failed", False, ()),
        (3, "b", "label", "finished", False, ()),
        (4, "a", "label", "finished", True, ()),
    ]
    assert (entries[1].reason, entries[0].counts) == ("too many errors", '{"images": 2}')
    assert [e.at for e in entries] == sorted(e.at for e in entries)
    assert datetime.now(UTC) - entries[0].at < timedelta(minutes=5)
    assert entries[0].fields()["run_id"] == "a"


def test_nothing_published_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="nothing is published"):
        history(catalog.uri)
