from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from datasets_on_disk import write_image, write_png

from maskmill.catalogs.ground_truth import (
    DemoTruth,
    IndexPngs,
    dataset_layouts,
    open_dataset,
    open_ground_truth,
)
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.samples import Sample
from maskmill.schemas.vocabulary import load_vocabulary


def test_a_demo_corpus_means_its_held_out_split(demo: Path) -> None:
    corpus, truth = open_ground_truth(CorpusConfig(uri=str(demo)))
    assert corpus.uri == str(demo / "val")
    assert truth == DemoTruth(str(demo), "val")
    assert open_ground_truth(CorpusConfig(uri=str(demo / "train")))[1] == DemoTruth(str(demo), "train")


def test_a_folder_goes_before_what_the_corpus_holds(demo: Path, tmp_path: Path) -> None:
    corpus = CorpusConfig(uri=str(demo))
    assert open_ground_truth(corpus, str(tmp_path)) == (corpus, IndexPngs(str(tmp_path)))


def test_a_corpus_without_ground_truth_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="folder of index PNGs"):
        open_ground_truth(CorpusConfig(uri=str(tmp_path)))


def test_coco_instances_open_with_their_images(tmp_path: Path) -> None:
    body = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 8, "height": 4}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"image_id": 5, "category_id": 1, "area": 8, "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]]}
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(body))
    write_image(tmp_path / "val2017" / "a.jpg", 4, 8)
    dataset = open_dataset(CorpusConfig(uri=f"coco-instances:{tmp_path}"))
    assert (dataset.name, dataset.vocabulary) == ("coco-instances", "coco_object")
    (sample,) = dataset.reader.read(dataset.reader.shards()[0])
    assert isinstance(sample, Sample)
    assert dataset.truth.labels(sample.key).sum() == 8


def test_missing_instances_show_the_tree(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    with pytest.raises(CorpusError, match=r"no annotations/instances_val2017.json; expected\ncoco/"):
        open_dataset(CorpusConfig(uri=f"coco-instances:{tmp_path}"))


def test_a_layout_with_a_folder_of_pngs_is_judged_by_those(tmp_path: Path) -> None:
    dataset = open_dataset(CorpusConfig(uri=f"voc:{tmp_path}"), folder=str(tmp_path))
    assert dataset.truth == IndexPngs(str(tmp_path))
    assert dataset.vocabulary == "voc21"


def test_the_default_vocabulary_of_every_layout_is_shipped() -> None:
    assert {"voc", "context459", "coco-stuff", "cityscapes"} <= set(dataset_layouts())
    for layout in set(dataset_layouts()) - {"coco-instances"}:
        dataset = open_dataset(CorpusConfig(uri=f"{layout}:nowhere"))
        assert dataset.truth.names() == load_vocabulary(dataset.vocabulary).names


def test_another_scheme_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="LAYOUT:PATH with one of the layouts voc, voc20"):
        open_dataset(CorpusConfig(uri=f"vok:{tmp_path}"))


def test_a_dataset_without_layout_is_judged_by_the_demo_vocabulary(demo: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.zeros((2, 2)))
    assert open_dataset(CorpusConfig(uri=str(demo))).vocabulary == "demo"
