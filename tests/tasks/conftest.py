from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny import label_corpus, write_corpus


@pytest.fixture(scope="session")
def labelled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with one label run of six images in two shards, each with a mask; not to be changed."""
    folder = tmp_path_factory.mktemp("labelled")
    label_corpus(write_corpus(folder / "corpus", 6), folder / "catalog")
    return folder / "catalog"


@pytest.fixture
def labelled(labelled_once: Path, tmp_path: Path) -> str:
    """A copy of it."""
    return str(shutil.copytree(labelled_once, tmp_path / "catalog"))
