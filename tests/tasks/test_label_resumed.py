"""Label runs that are cut short and taken up again, and the configuration that a run's id keeps."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from colour_labelling import (
    BLUE,
    BROKEN,
    GREEN,
    ColourSegmenter,
    config,
    png,
    rows,
    write_tar,
)
from numpy.typing import NDArray
from watching import Watcher

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.label import label_run

SUPPORT = Path(__file__).parents[1] / "support"


def test_a_run_id_keeps_its_configuration(corpus: CorpusConfig, catalog: str) -> None:
    label_run(corpus, catalog, config(), run_id="mine", segmenter_factory=ColourSegmenter)
    with pytest.raises(ConfigError, match="'mine' exists with another configuration"):
        label_run(corpus, catalog, config(min_area=5), run_id="mine", segmenter_factory=ColourSegmenter)


def test_an_interrupted_run_id_keeps_its_configuration(corpus: CorpusConfig, catalog: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_run(
            corpus,
            catalog,
            config(),
            run_id="mine",
            progress=Watcher(interrupt),
            segmenter_factory=ColourSegmenter,
        )
    with pytest.raises(ConfigError, match="'mine' exists with another configuration"):
        label_run(corpus, catalog, config(min_area=5), run_id="mine", segmenter_factory=ColourSegmenter)
    summary = label_run(corpus, catalog, config(), run_id="mine", segmenter_factory=ColourSegmenter)
    assert (summary.counts["images"], summary.resumed) == (12, False)


def test_a_driver_that_dies_between_two_tables_leaves_no_row_twice(
    corpus: CorpusConfig, catalog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(Path(corpus.uri, "00001.tar"), {k: (png(BROKEN if k == "y" else BLUE), None) for k in "xyz"})
    commit = Catalog.commit

    def dying(self: Catalog, adds: Any) -> int:
        if adds[0].table == "images":
            raise SystemExit
        return commit(self, adds)

    monkeypatch.setattr(Catalog, "commit", dying)
    with pytest.raises(SystemExit):
        label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    monkeypatch.setattr(Catalog, "commit", commit)

    class Mended(ColourSegmenter):
        def _one(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> LabelMap:
            return super()._one(np.zeros_like(image), vocabulary)

    summary = label_run(corpus, catalog, config(), segmenter_factory=Mended)
    assert (summary.counts["images"], summary.counts["masks"], summary.counts["errors"]) == (12, 12, 0)
    assert rows(catalog, "FROM errors") == []
    assert rows(catalog, "SELECT count(*) AS n, count(DISTINCT image_id) AS d FROM masks") == [
        {"n": 12, "d": 12}
    ]


def test_a_driver_killed_in_the_middle_is_continued_to_the_same_rows(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for shard in range(14):
        write_tar(folder / f"{shard:05d}.tar", {f"{shard}{n}": (png(GREEN), None) for n in "ab"})
    arguments = [sys.executable, str(SUPPORT / "label_and_die.py"), str(folder)]
    killed = subprocess.run([*arguments, str(tmp_path / "one"), "12"], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (files,) = (tmp_path / "one" / "images").glob("run_id=*")
    assert len(list(files.glob("*.parquet"))) == 12
    watcher = Watcher()
    corpus = CorpusConfig(uri=str(folder))
    resumed = label_run(
        corpus, str(tmp_path / "one"), config(), progress=watcher, segmenter_factory=ColourSegmenter
    )
    assert "10 of 14 shards are labelled already" in watcher.said
    whole = label_run(corpus, str(tmp_path / "two"), config(), segmenter_factory=ColourSegmenter)
    assert resumed.counts == whole.counts
    assert resumed.run_id == whole.run_id
    for table in ("images", "masks"):
        one, two = (query(str(tmp_path / name), f"FROM {table} ORDER BY image_id") for name in ("one", "two"))
        assert one.equals(two)
    sizes = {
        name: [pq.read_metadata(uri).num_rows for uri in Catalog.open(str(tmp_path / name)).files("masks")]
        for name in ("one", "two")
    }
    assert sizes["one"] == sizes["two"] == [2] * 14
