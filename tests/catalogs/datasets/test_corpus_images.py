"""Images by shard and key, in any order, from every kind of corpus."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mask_catalog import png, write_tar

from maskmill.catalogs.corpora import open_corpus
from maskmill.catalogs.datasets.corpus_images import CorpusImages
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError, CorpusError
from maskmill.schemas.samples import Sample

IMAGES = {f"{n:03d}": png(n) for n in range(9)}


def _tars(folder: Path) -> CorpusConfig:
    names = sorted(IMAGES)
    for number in range(3):
        mine = {f"deep/{key}": IMAGES[key] for key in names[3 * number : 3 * number + 3]}
        write_tar(folder / f"{number:05d}.tar", {f"{'x' * 120}/{key}": data for key, data in mine.items()})
    return CorpusConfig(uri=str(folder))


def _files(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for key, data in IMAGES.items():
        (folder / "images" / f"{key}.png").write_bytes(data)


def _folder(folder: Path) -> CorpusConfig:
    _files(folder)
    return CorpusConfig(uri=str(folder / "images"), format="folder", shard_size=4)


def _coco(folder: Path) -> CorpusConfig:
    _files(folder)
    body = {"images": [{"id": key, "file_name": f"{key}.png", "caption": "a photo"} for key in IMAGES]}
    (folder / "captions.json").write_text(json.dumps(body))
    return CorpusConfig(uri=str(folder / "captions.json"), shard_size=4)


def _parquet(folder: Path) -> CorpusConfig:
    folder.mkdir(parents=True)
    rows = {"key": list(IMAGES), "jpg": list(IMAGES.values()), "caption": ["a photo"] * len(IMAGES)}
    pq.write_table(pa.table(rows), folder / "a.parquet", row_group_size=2)
    return CorpusConfig(uri=str(folder / "a.parquet"), shard_size=4)


def _delimited(folder: Path) -> CorpusConfig:
    _files(folder)
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "caption"), *((f"{key}.png", "a photo") for key in IMAGES)])
    return CorpusConfig(uri=str(folder / "captions.csv"))


CORPORA = [_tars, _folder, _coco, _parquet, _delimited]


@pytest.mark.parametrize("make", CORPORA)
def test_images_are_what_the_reader_reads(make: Any, tmp_path: Path) -> None:
    config = make(tmp_path / "corpus")
    reader = open_corpus(config)
    images = CorpusImages(config, "label-1")
    images = pickle.loads(pickle.dumps(images))
    found = 0
    for shard in reversed(reader.shards()):
        samples = [sample for sample in reader.read(shard) if isinstance(sample, Sample)]
        keys = [sample.key for sample in samples]
        opened = images.shard(shard.shard_id, lambda keys=keys: [*keys[::-1], "none such"])
        assert opened.load(len(keys)) is None or make is _delimited
        for row in (0, len(keys) - 1, 0):
            assert opened.load(row) == samples[len(keys) - 1 - row].image
        found += len(keys)
    assert found == len(IMAGES)
    assert pickle.loads(pickle.dumps(images)).shard(shard.shard_id, lambda: keys).load(0) == samples[0].image


@pytest.mark.parametrize("make", CORPORA)
def test_a_corpus_that_is_gone_is_told(make: Any, tmp_path: Path) -> None:
    config = make(tmp_path / "corpus")
    (tmp_path / "corpus").rename(tmp_path / "moved")
    with pytest.raises(CorpusError):
        CorpusImages(config, "label-1").shard("00000", lambda: ["000"])


@pytest.mark.parametrize("make", [_tars, _parquet, _delimited])
def test_a_shard_that_is_gone_is_told(make: Any, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no shard 'other', which run 'label-1' labelled"):
        CorpusImages(make(tmp_path / "corpus"), "label-1").shard("other", lambda: ["000"])


@pytest.mark.parametrize("make", [_folder, _coco])
def test_files_are_found_whatever_shard_they_are_in_now(make: Any, tmp_path: Path) -> None:
    config = make(tmp_path / "corpus").model_copy(update={"shard_size": 2})
    (tmp_path / "corpus" / "images" / "003.png").unlink()
    opened = CorpusImages(config, "label-1").shard("00000", lambda: ["008", "003"])
    assert opened.load(0) == IMAGES["008"]
    assert opened.load(1) is None


def test_of_a_damaged_tar_the_images_before_the_fault_are_found(tmp_path: Path) -> None:
    config = _tars(tmp_path / "corpus")
    tar = tmp_path / "corpus" / "00000.tar"
    data = tar.read_bytes()
    second = data.index(IMAGES["001"])
    tar.write_bytes(data[: second + 512] + b"x" * 4000)
    keys = [f"{'x' * 120}/deep/{n:03d}" for n in range(3)]
    opened = CorpusImages(config, "label-1").shard("00000", lambda: keys)
    assert [opened.load(row) for row in range(3)] == [IMAGES["000"], IMAGES["001"], None]
