from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exporting import SHARDS, commit_run, write_shards

from maskmill.catalogs.exporters import ExportConfig, ExportSummary, export
from maskmill.catalogs.store import Catalog


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_shards(tmp_path / "corpus", SHARDS)
    return tmp_path / "corpus"


@pytest.fixture
def labelled(catalog: Catalog, corpus: Path) -> Catalog:
    commit_run(catalog, corpus, SHARDS)
    return catalog


@pytest.fixture
def exported(labelled: Catalog, tmp_path: Path) -> Callable[..., ExportSummary]:
    """Export :data:`SHARDS` to ``tmp_path/out``."""

    def run(**config: Any) -> ExportSummary:
        return export(labelled.uri, tmp_path / "out", ExportConfig(**config))

    return run
