from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from colour_labelling import four_shards
from tiny import label_corpus, write_corpus

from maskmill.schemas.config import CorpusConfig


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


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    """Four shards of three images each, for `colour_labelling.ColourSegmenter`."""
    return four_shards(tmp_path / "birds")


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    """Where a catalog may be made; nothing is there yet."""
    return str(tmp_path / "catalog")
