from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mask_catalog import ALL, LEFT, RIGHT, SIZE, commit, png, write_tar

from maskmill.catalogs import MaskDataset
from maskmill.catalogs.maintenance import compact, tag
from maskmill.catalogs.splits import split_of
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError, ConfigError, CorpusError
from maskmill.schemas.labelmap import IGNORE
from maskmill.schemas.samples import image_id


def _keys(dataset: MaskDataset) -> list[str]:
    return [dataset.key(i) for i in range(len(dataset))]


def test_masks_become_class_ids_in_the_order_of_the_names(labelled: Catalog) -> None:
    dataset = MaskDataset(labelled.uri)
    assert dataset.classes == ("background", "cat", "dog")
    assert (dataset.version, dataset.run_id, dataset.review_run_ids) == (1, "label-1", ())
    expected = np.zeros(SIZE, np.uint16)
    expected[LEFT], expected[RIGHT] = 2, 1
    assert np.array_equal(dataset[0].labels, expected)
    assert (dataset[2].labels == 1).all()


def test_items_come_with_their_image_in_any_order(labelled: Catalog) -> None:
    dataset = MaskDataset(labelled.uri)
    assert _keys(dataset) == ["10", "11", "20"]
    for index in (2, 0, 1, -1, -3):
        sample = dataset[index]
        assert sample.key == dataset.key(index)
        assert sample.image_id == image_id("c", sample.key)
        assert (sample.image == int(sample.key)).all()
        assert sample.image.shape == (*SIZE, 3)
        assert (sample.image.dtype, sample.labels.dtype) == (np.uint8, np.uint16)
    for beyond in (3, -4):
        with pytest.raises(IndexError, match=f"image {beyond} of 3"):
            dataset[beyond]


def test_an_image_without_masks_is_background_and_one_without_vocabulary_is_left_out(
    labelled: Catalog,
) -> None:
    dataset = MaskDataset(labelled.uri)
    assert "12" not in _keys(dataset)
    assert not dataset[1].labels.any()
    assert (dataset[1].weights == 1).all()


def test_weights_are_scores_and_of_ignored_pixels_nothing(labelled: Catalog) -> None:
    weights = MaskDataset(labelled.uri, min_score=0.5)[0].weights
    assert weights.dtype == np.float32
    assert (weights[LEFT] == np.float32(0.9)).all()
    assert (weights[RIGHT] == 0).all()
    assert (MaskDataset(labelled.uri, background_weight=0.25)[1].weights == 0.25).all()


def test_masks_below_the_score_are_ignored_pixels(labelled: Catalog) -> None:
    labels = MaskDataset(labelled.uri, min_score=0.5)[0].labels
    assert (labels[RIGHT] == IGNORE).all()
    assert (labels[LEFT] == 2).all()


def test_given_classes_set_the_ids_and_other_labels_are_ignored(labelled: Catalog) -> None:
    dataset = MaskDataset(labelled.uri, classes=("background", "bird", "dog"))
    assert dataset.classes == ("background", "bird", "dog")
    assert (dataset[0].labels[LEFT] == 2).all()
    assert (dataset[0].labels[RIGHT] == IGNORE).all()
    assert dataset.known.all()


def test_a_label_in_the_place_of_the_background_is_refused(labelled: Catalog) -> None:
    with pytest.raises(CatalogError, match="put 'background' before it"):
        MaskDataset(labelled.uri, classes=("dog", "bird"))
    assert MaskDataset(labelled.uri, classes=("other", "dog", "bird")).classes[0] == "other"


def test_where_masks_overlap_the_surer_one_lies_on_top(catalog: Catalog, corpus: Path) -> None:
    commit(catalog, corpus, "label-1", {"00001": {"20": [("cat", 0.9, LEFT), ("dog", 0.5, ALL)]}})
    sample = MaskDataset(catalog.uri)[0]
    assert (sample.labels[LEFT] == 1).all()
    assert (sample.labels[RIGHT] == 2).all()
    assert (sample.weights[LEFT] > sample.weights[RIGHT]).all()


def test_classes_that_no_vocabulary_named_are_unknown(catalog: Catalog, corpus: Path) -> None:
    masks = [("p7", 0.9, LEFT, "prototype"), ("cat", 0.5, RIGHT)]
    commit(catalog, corpus, "label-1", {"00001": {"20": masks}})  # type: ignore[dict-item]
    dataset = MaskDataset(catalog.uri)
    assert dataset.classes == ("background", "cat", "p7")
    assert dataset[0].known.tolist() == [True, True, False]


def test_a_pinned_version_or_tag_does_not_see_later_runs(labelled: Catalog, corpus: Path) -> None:
    tag(labelled.uri, "first")
    second = commit(labelled, corpus, "label-2", {"00001": {"20": [("tree", 0.8, ALL)]}})
    assert MaskDataset(labelled.uri).run_id == "label-2"
    assert MaskDataset(labelled.uri, second - 1).run_id == "label-1"
    assert MaskDataset(labelled.uri, "first").run_id == "label-1"
    assert MaskDataset(labelled.uri, second, run_id="label-1").classes == ("background", "cat", "dog")
    with pytest.raises(CatalogError, match=r"no finished label run 'label-2'; it has: label-1"):
        MaskDataset(labelled.uri, "first", run_id="label-2")


def test_a_run_without_masks_cannot_be_learnt_from(catalog: Catalog, corpus: Path) -> None:
    commit(catalog, corpus, "label-1", {"00001": {"20": []}})
    with pytest.raises(CatalogError, match="has no masks to learn from"):
        MaskDataset(catalog.uri)


def test_a_compacted_run_reads_the_same(labelled: Catalog) -> None:
    tag(labelled.uri, "before")
    assert compact(labelled.uri).version == 2
    assert len(labelled.files("images")) == 1
    before, after = MaskDataset(labelled.uri, "before"), MaskDataset(labelled.uri)
    assert (before.version, after.version) == (1, 2)
    assert [before.record(i) for i in range(3)] == [after.record(i) for i in range(3)]


def test_splits_part_the_images_and_stay_when_images_are_added(many: Catalog) -> None:
    options = {"val_share": 0.3, "split_seed": 4}
    train, val = (MaskDataset(many.uri, split=s, **options) for s in ("train", "val"))  # type: ignore[arg-type]
    assert sorted(_keys(train) + _keys(val)) == _keys(MaskDataset(many.uri))
    assert 0 < len(val) < len(train)
    for dataset, split in ((train, "train"), (val, "val")):
        for index in range(len(dataset)):
            sample = dataset[index]
            assert (sample.image == int(sample.key)).all()
            assert split_of(sample.image_id, 0.3, 4) == split
    assert _keys(MaskDataset(many.uri, split="val", val_share=0.3, split_seed=5)) != _keys(val)


def test_options_that_do_not_fit_are_named(labelled: Catalog) -> None:
    with pytest.raises(ConfigError, match="min_score"):
        MaskDataset(labelled.uri, min_score=2)
    with pytest.raises(ConfigError, match="no such field"):
        MaskDataset(labelled.uri, minscore=0.2)  # type: ignore[call-arg]


def test_a_changed_image_is_refused(labelled: Catalog, corpus: Path) -> None:
    write_tar(corpus / "00001.tar", {"20": png(99)})
    with pytest.raises(CatalogError, match=r"image '20' has changed since run 'label-1'"):
        MaskDataset(labelled.uri)[2]


def test_an_image_cut_short_has_changed(labelled: Catalog, corpus: Path) -> None:
    tar = corpus / "00001.tar"
    tar.write_bytes(tar.read_bytes()[: 3 * 512 + 20])
    with pytest.raises(CatalogError, match=r"image '20' has changed since run 'label-1'"):
        MaskDataset(labelled.uri)[2]


def test_a_lost_image_is_missed(labelled: Catalog, corpus: Path) -> None:
    write_tar(corpus / "00000.tar", {"10": png(10)})
    dataset = MaskDataset(labelled.uri)
    assert dataset[0].key == "10"
    with pytest.raises(CatalogError, match="has lost image '11'"):
        dataset[1]


def test_a_lost_shard_is_missed(labelled: Catalog, corpus: Path) -> None:
    (corpus / "00001.tar").unlink()
    with pytest.raises(CatalogError, match="has no shard '00001'"):
        MaskDataset(labelled.uri)[2]


def test_a_shard_that_vanishes_while_it_is_in_use_is_missed(labelled: Catalog, corpus: Path) -> None:
    dataset = MaskDataset(labelled.uri)
    assert dataset[2].key == "20"
    (corpus / "00001.tar").unlink()
    with pytest.raises(CorpusError, match="cannot be read"):
        dataset[2]


def test_a_corpus_that_moved_is_read_where_it_is_said_to_lie(labelled: Catalog, corpus: Path) -> None:
    corpus.rename(corpus.parent / "moved")
    with pytest.raises(CorpusError):
        MaskDataset(labelled.uri, on_error="skip")[0]
    moved = CorpusConfig(uri=str(corpus.parent / "moved"))
    assert (MaskDataset(labelled.uri, corpus=moved)[0].image == 10).all()


def test_new_images_in_the_corpus_do_not_matter(labelled: Catalog, corpus: Path) -> None:
    write_tar(corpus / "00000.tar", {k: png(int(k)) for k in ("09", "10", "105", "11", "12")})
    write_tar(corpus / "00002.tar", {"30": png(30)})
    dataset = MaskDataset(labelled.uri)
    assert [int(dataset[i].image[0, 0, 0]) for i in range(3)] == [10, 11, 20]


def test_a_fault_is_a_blank_image_where_faults_are_skipped(
    labelled: Catalog, corpus: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tar(corpus / "00001.tar", {"20": png(99)})
    dataset = MaskDataset(labelled.uri, on_error="skip")
    sample = dataset[2]
    assert "has changed" in sample.fault
    assert sample.fault in caplog.text
    assert (sample.key, sample.image.shape) == ("20", (*SIZE, 3))
    assert (sample.labels == IGNORE).all()
    assert not sample.weights.any()
    assert not dataset[0].fault


def test_a_damaged_mask_names_its_image(catalog: Catalog, corpus: Path) -> None:
    commit(catalog, corpus, "label-1", {"00001": {"20": [("cat", 0.9, LEFT)]}})
    dataset = MaskDataset(catalog.uri)
    record = dataset.record(0)
    damaged = record.__class__(**{**record.__dict__, "height": 9})
    with pytest.raises(CatalogError, match="image '20': damaged mask"):
        damaged.labels()
    with pytest.raises(CatalogError, match="is 12 x 8, its masks are 12 x 9"):
        damaged.decode(dataset.known)


def test_a_dataset_travels_to_other_processes_without_what_it_has_read(labelled: Catalog) -> None:
    dataset = MaskDataset(labelled.uri)
    fresh = len(pickle.dumps(dataset))
    expected = [dataset.record(i) for i in range(3)]
    assert len(pickle.dumps(dataset)) == fresh
    copy = pickle.loads(pickle.dumps(dataset))
    assert [copy.record(i) for i in range(3)] == expected
    assert copy.classes == dataset.classes


def test_reading_needs_no_torch(labelled: Catalog) -> None:
    code = f"""
import json, sys
from maskmill.catalogs import MaskDataset, MaskStream
keys = [MaskDataset({labelled.uri!r})[0].key, *(s.key for s in MaskStream({labelled.uri!r}))]
print(json.dumps([keys, "torch" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["10", "10", "11", "20"], False]
