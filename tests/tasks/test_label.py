"""The label stage on small corpora, with a segmenter that needs no model."""

from __future__ import annotations

from pathlib import Path

import colour_labelling
import numpy as np
from colour_labelling import ColourSegmenter, config, rows
from watching import Watcher

from maskmill.catalogs.query import query
from maskmill.catalogs.rle import decode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, SegmenterConfig
from maskmill.tasks.label import label_run


def test_every_image_is_labelled_once(corpus: CorpusConfig, catalog: str) -> None:
    watcher = Watcher()
    summary = label_run(corpus, catalog, config(), progress=watcher, segmenter_factory=ColourSegmenter)
    assert summary.counts == {"images": 12, "masks": 12, "errors": 0, "labels": 1, "repeated": 0, "shards": 4}
    assert summary.version == Catalog.open(catalog).version()
    assert (summary.kind, summary.resumed, summary.corpus) == ("label", False, "birds")
    (image,) = rows(catalog, "FROM images WHERE key = '01'")
    assert (image["width"], image["height"], image["status"], image["masks"]) == (16, 12, "labelled", 1)
    assert "background" not in image["vocabulary"]
    (mask,) = rows(catalog, "FROM masks WHERE key = '01'")
    assert mask["image_id"] == image["image_id"]
    assert (mask["segmenter"], mask["label_kind"], mask["score"]) == ("colour@1", "vocabulary", 0.5)
    expected = np.zeros((12, 16), bool)
    expected[:, :8] = True
    np.testing.assert_array_equal(decode_mask(mask["rle"], mask["height"], mask["width"]), expected)
    assert watcher.stages == [("label", 4), ("finished", 0)]
    assert watcher.counts == {"images": 12, "masks": 12, "errors": 0}


def test_the_run_row_names_the_weights_and_counts(corpus: CorpusConfig, catalog: str) -> None:
    summary = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    row = Catalog.open(catalog).run(summary.run_id)
    assert row is not None
    assert (row["status"], row["weights"], row["counts"]) == ("finished", {"colour": "abc"}, summary.counts)


def test_a_finished_run_is_not_repeated(corpus: CorpusConfig, catalog: str) -> None:
    def never(config: SegmenterConfig) -> ColourSegmenter:
        raise AssertionError("no model is needed")

    first = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    again = label_run(corpus, catalog, config(batch_images=7), segmenter_factory=never)
    assert again.resumed
    assert (again.run_id, again.version, again.counts) == (first.run_id, first.version, first.counts)


def test_another_vocabulary_is_another_run(corpus: CorpusConfig, catalog: str) -> None:
    first = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    second = label_run(corpus, catalog, config(vocabulary="voc21"), segmenter_factory=ColourSegmenter)
    assert second.run_id != first.run_id
    assert rows(catalog, "SELECT count(*) AS n FROM images") == [{"n": 24}]


def test_ray_workers_write_the_same_rows(corpus: CorpusConfig, tmp_path: Path) -> None:
    from maskmill.tasks import ray_pool

    ray_pool.ray.cloudpickle.register_pickle_by_value(colour_labelling)
    for backend in ("inline", "ray"):
        settings = config(pool={"backend": backend, "workers": 2})
        label_run(corpus, str(tmp_path / backend), settings, segmenter_factory=ColourSegmenter)
    for table in ("images", "masks"):
        inline, on_ray = (
            query(str(tmp_path / name), f"FROM {table} ORDER BY image_id") for name in ("inline", "ray")
        )
        assert inline.num_rows == 12
        assert inline.equals(on_ray)
    assert not ray_pool.ray.is_initialized()
