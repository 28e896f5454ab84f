"""What fails in the label stage: images, shards, workers, whole runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from colour_labelling import BLUE, BROKEN, ColourSegmenter, config, png, rows, write_tar
from watching import Watcher

from maskmill.schemas.config import CorpusConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError, CorpusError, StageError
from maskmill.schemas.labelmap import LabelMap
from maskmill.tasks.label import label_run
from maskmill.tasks.pool import WorkerFault


def test_an_image_the_segmenter_fails_on_is_an_error_row(corpus: CorpusConfig, catalog: str) -> None:
    write_tar(Path(corpus.uri, "00001.tar"), {k: (png(BROKEN if k == "y" else BLUE), None) for k in "xyz"})
    summary = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    assert (summary.counts["images"], summary.counts["errors"]) == (11, 1)
    (error,) = rows(catalog, "FROM errors")
    assert (error["stage"], error["key"], error["reason"]) == ("label", "y", "segmenter_failed")
    assert "a colour that breaks the segmenter" in error["detail"]
    assert rows(catalog, "SELECT key FROM images WHERE shard_id = '00001' ORDER BY key") == [
        {"key": "x"},
        {"key": "z"},
    ]


def test_a_shard_that_vanishes_is_one_error_row_and_the_rest_is_labelled(
    corpus: CorpusConfig, catalog: str
) -> None:
    def vanishing(settings: SegmenterConfig) -> ColourSegmenter:
        Path(corpus.uri, "00002.tar").unlink()
        return ColourSegmenter(settings)

    watcher = Watcher()
    settings = config(pool={"error_limit": 0.5})
    summary = label_run(corpus, catalog, settings, progress=watcher, segmenter_factory=vanishing)
    assert (summary.counts["images"], summary.counts["errors"], summary.counts["shards"]) == (9, 1, 3)
    (error,) = rows(catalog, "FROM errors")
    assert (error["shard_id"], error["key"], error["reason"]) == ("00002", None, "shard_quarantined")
    assert "00002.tar" in error["detail"]
    assert any(line.startswith("shard 00002 is given up") for line in watcher.said)


def test_a_shard_under_which_a_worker_breaks_is_tried_again(corpus: CorpusConfig, catalog: str) -> None:
    built: list[int] = []

    class Breaking(ColourSegmenter):
        def __call__(self, images: Any, vocabularies: Any) -> list[LabelMap]:
            if len(built) == 1:
                raise WorkerFault("the GPU failed")
            return super().__call__(images, vocabularies)

    def factory(settings: SegmenterConfig) -> ColourSegmenter:
        built.append(1)
        return Breaking(settings)

    watcher = Watcher()
    summary = label_run(corpus, catalog, config(), progress=watcher, segmenter_factory=factory)
    assert (summary.counts["images"], len(built)) == (12, 2)
    assert "shard 00000: the GPU failed; it is tried again" in watcher.said


def test_too_many_bad_samples_fail_the_run_and_a_higher_limit_takes_it_up(
    corpus: CorpusConfig, catalog: str
) -> None:
    for shard in range(4):
        pictures = {f"{shard}{n}": (b"" if n < 2 else png(BLUE), None) for n in range(3)}
        write_tar(Path(corpus.uri, f"{shard:05d}.tar"), pictures)
    with pytest.raises(StageError, match=r"2 of 3 samples are bad.*10%.*empty_file \(2\)"):
        label_run(corpus, catalog, config(pool={"error_limit": 0.1}), segmenter_factory=ColourSegmenter)
    assert rows(catalog, "SELECT status FROM runs") == [{"status": "failed"}]
    assert rows(catalog, "FROM images") == []
    watcher = Watcher()
    settings = config(pool={"error_limit": 0.9})
    summary = label_run(corpus, catalog, settings, progress=watcher, segmenter_factory=ColourSegmenter)
    assert watcher.said[0] == "1 of 4 shards are labelled already"
    assert watcher.stages[0] == ("label", 3)
    assert (summary.counts["images"], summary.counts["errors"]) == (4, 8)
    assert rows(catalog, "SELECT status FROM runs") == [{"status": "finished"}]


def test_a_run_that_failed_at_its_last_shard_fails_again(corpus: CorpusConfig, catalog: str) -> None:
    write_tar(Path(corpus.uri, "00003.tar"), {f"{n}": (b"", None) for n in range(3)})
    for _ in range(2):
        with pytest.raises(StageError, match="3 of 12 samples are bad"):
            label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"vocabulary": "no-such-file.txt"}, ConfigError), ({"uri": "/nowhere/at/all"}, CorpusError)],
)
def test_a_wrong_configuration_fails_before_anything_is_made(
    corpus: CorpusConfig, catalog: str, fault: dict[str, str], error: type[Exception]
) -> None:
    where = CorpusConfig(uri=fault.get("uri", corpus.uri))
    settings = config(**{k: v for k, v in fault.items() if k != "uri"})
    with pytest.raises(error):
        label_run(where, catalog, settings, segmenter_factory=ColourSegmenter)
    assert not Path(catalog).exists()
