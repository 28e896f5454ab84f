"""One Prefect server for all tests of the flows, a small demo corpus, and a catalog made from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_segmenter import FAKE
from prefect.settings import (
    PREFECT_HOME,
    PREFECT_LOGGING_LEVEL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from maskmill.catalogs.demo import DemoCorpus, write_demo_corpus
from maskmill.schemas.config import CorpusConfig, LabelConfig, PoolConfig, SegmenterConfig
from maskmill.tasks.label import label_run

LABEL = LabelConfig(
    vocabulary="demo", segmenter=SegmenterConfig(id=FAKE, device="cpu"), pool=PoolConfig(backend="inline")
)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server with its own database; it starts once, which takes some ten seconds on a busy machine."""
    settings = {
        PREFECT_HOME: tmp_path_factory.mktemp("prefect"),
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
        PREFECT_LOGGING_LEVEL: "WARNING",
    }
    with temporary_settings(settings), prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is printed for a terminal have lines of 200 characters."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> DemoCorpus:
    """Twelve scenes to label in two shards, four held out."""
    out = tmp_path_factory.mktemp("scenes") / "corpus"
    return write_demo_corpus(out, seed=7, images=12, val_images=4, shard_size=6, workers=1)


@pytest.fixture(scope="session")
def corpus(scenes: DemoCorpus) -> CorpusConfig:
    return CorpusConfig(uri=str(scenes.root / "train"), name="demo")


@pytest.fixture
def label_config() -> LabelConfig:
    return LABEL


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory, corpus: CorpusConfig) -> str:
    """A catalog of two versions: six scenes labelled, then all twelve in another run; not to be changed."""
    catalog = str(tmp_path_factory.mktemp("labelled") / "catalog")
    label_run(corpus.model_copy(update={"limit": 6}), catalog, LABEL)
    label_run(corpus, catalog, LABEL)
    return catalog
