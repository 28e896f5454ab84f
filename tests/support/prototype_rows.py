"""Prototypes, masks that go by them, and decisions about them, as rows of a small catalog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sql_catalog import Row, image, mask, publish

from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

_START = datetime(2026, 2, 1, tzinfo=UTC)


def prototype(prototype_id: str, **changes: Any) -> Row:
    of = {"kind": "unknown", "name": None, "encoder": "clip@1", "vector": [0.6, 0.8]}
    words = [{"word": "animal", "similarity": 0.25}, {"word": "cat", "similarity": 0.125}]
    shown = [{"image_id": image_id("web", "p"), "label": prototype_id, "score": 0.5}]
    found = {"support": 3, "share": 0.5, "nearest_words": words, "exemplars": shown}
    return {"prototype_id": prototype_id, **of, **found} | changes


def decision(prototype_id: str, what: str, day: float, **changes: Any) -> Row:
    row = {"prototype_id": prototype_id, "decision": what, "decided_at": _START + timedelta(days=day)}
    empty = dict.fromkeys(("name", "merge_into", "reason", "decided_by"))
    return {"decision_id": f"{prototype_id}-{what}-{day}", **row, **empty} | changes


def learn(catalog: Catalog, *prototypes: str) -> int:
    """Publish unknown prototypes, and a label run with an image of its own for each; return the version."""
    publish(catalog, "prototypes-1", 20, {"prototypes": [prototype(name) for name in prototypes]})
    images = [image(f"of {name}", 1) for name in prototypes]
    drawn = [mask(f"of {name}", name, (0, 0, 10, 10), 0.5, label_kind="prototype") for name in prototypes]
    return publish(catalog, "label-learnt", 21, {"images": images, "masks": drawn})


def publish_decisions(catalog: Catalog, name: str, *decisions: Row) -> int:
    return publish(catalog, f"decisions-{name}", 22, {"prototype_decisions": decisions})
