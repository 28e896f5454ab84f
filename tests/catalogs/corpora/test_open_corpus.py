from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskmill.catalogs.corpora import CocoCorpus, TarCorpus, open_corpus
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CorpusError


def test_the_uri_tells_the_kind_of_corpus(tmp_path: Path) -> None:
    tars = open_corpus(CorpusConfig(uri=f"{tmp_path}/cc3m/", limit=3))
    assert tars == TarCorpus("cc3m", f"{tmp_path}/cc3m", 3)
    coco = open_corpus(
        CorpusConfig(uri=f"{tmp_path}/c.json", name="coco", images=f"{tmp_path}/i", shard_size=7)
    )
    assert coco == CocoCorpus("coco", f"{tmp_path}/c.json", f"{tmp_path}/i", 7)


def test_relative_paths_become_absolute_for_workers_elsewhere(tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        reader = open_corpus(CorpusConfig(uri="x/*.tar"))
        coco = open_corpus(CorpusConfig(uri="c.json", images="i"))
    finally:
        os.chdir(here)
    assert (reader.uri, reader.name) == (f"{tmp_path}/x/*.tar", "x")
    assert coco == CocoCorpus("c", f"{tmp_path}/c.json", f"{tmp_path}/i")


def test_a_remote_uri_is_kept() -> None:
    reader = open_corpus(CorpusConfig(uri="memory://bucket/cc3m"))
    assert (reader.name, reader.uri) == ("cc3m", "memory:///bucket/cc3m")


def test_an_unknown_scheme_is_an_error() -> None:
    with pytest.raises(CorpusError, match="nosuch"):
        open_corpus(CorpusConfig(uri="nosuch://bucket/x"))
