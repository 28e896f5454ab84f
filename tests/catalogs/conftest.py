from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sql_catalog import fill

from maskmill.catalogs.files import FileAdd, write_rows
from maskmill.catalogs.store import Catalog

Row = dict[str, Any]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path / "it's a catalog ü=1 [x]"))


@pytest.fixture
def empty(tmp_path: Path) -> Catalog:
    """A catalog in which nothing is published, at a plain path."""
    return Catalog.create_or_open(str(tmp_path / "c"))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The catalog of ``sql_catalog``; not to be changed."""
    return fill(Catalog.create_or_open(str(tmp_path_factory.mktemp("filled") / "c"))).uri


@pytest.fixture
def run_row() -> Callable[..., Row]:
    """A row of ``runs`` without what the catalog fills in."""

    def make(status: str = "finished", **changes: object) -> Row:
        now = datetime(2026, 1, 2, tzinfo=UTC)
        row: Row = {
            "kind": "label",
            "status": status,
            "config": '{"vocabulary": "demo"}',
            "config_hash": "c0ffee",
            "weights": "{}",
            "code_version": "0.1.0",
            "libraries": "{}",
            "counts": '{"images": 2}',
            "started_at": now,
            "finished_at": now,
            "seconds": 1.5,
        }
        return row | changes

    return make


@pytest.fixture
def write_errors() -> Callable[..., FileAdd]:
    """Write a file of ``errors`` with ``count`` rows; the file is not committed."""

    def write(catalog: Catalog, run_id: str, name: str, count: int = 1) -> FileAdd:
        row = {"stage": "label", "corpus": "c", "shard_id": name, "reason": "empty_file", "detail": "bad"}
        return write_rows(catalog.uri, "errors", run_id, name, [row | {"key": str(i)} for i in range(count)])

    return write


@pytest.fixture
def image_row() -> Callable[..., Row]:
    def make(key: str, masks: int = 1) -> Row:
        identity = {"image_id": f"id-{key}", "corpus": "c", "key": key, "shard_id": "0"}
        size = {"shard_uri": "x", "width": 4, "height": 3, "sha256": "ab"}
        return {**identity, **size, "status": "labelled", "vocabulary": ["cat"], "masks": masks}

    return make


@pytest.fixture
def mask_row() -> Callable[..., Row]:
    def make(key: str, label: str, score: float = 0.5) -> Row:
        identity = {"image_id": f"id-{key}", "corpus": "c", "key": key, "shard_id": "0"}
        origin = {"label": label, "label_kind": "vocabulary", "segmenter": "s@1", "height": 3, "width": 4}
        box = {"rle": b"\x00\xff", "bbox_x": 0, "bbox_y": 0, "bbox_w": 4, "bbox_h": 1}
        return {
            **identity,
            **origin,
            **box,
            "area": 4,
            "area_fraction": 0.25,
            "components": 1,
            "score": score,
        }

    return make
