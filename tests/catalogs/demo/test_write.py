from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.demo import KNOWN, UNKNOWN, draw_scene, read_ground_truth, write_demo_corpus
from maskmill.schemas.errors import ConfigError, CorpusError


def _files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_shards_look_like_those_of_img2dataset(tmp_path: Path) -> None:
    corpus = write_demo_corpus(tmp_path, seed=1, images=5, val_images=2, shard_size=3, workers=1)
    assert [path.relative_to(tmp_path).as_posix() for path in (*corpus.train, *corpus.val)] == [
        "train/00000.tar",
        "train/00001.tar",
        "val/00002.tar",
    ]
    members = _members(corpus.train[1])
    assert list(members) == [f"00001000{k}.{ext}" for k in (0, 1) for ext in ("jpg", "json", "txt")]
    meta = json.loads(members["000010000.json"])
    jpeg = members["000010000.jpg"]
    assert meta["key"] == "000010000"
    assert meta["status"] == "success"
    assert meta["sha256"] == hashlib.sha256(jpeg).hexdigest()
    assert meta["captions"][0] == members["000010000.txt"].decode()
    assert Image.open(io.BytesIO(jpeg)).size == (meta["width"], meta["height"])
    stats = json.loads((tmp_path / "train" / "00001_stats.json").read_bytes())
    assert stats["count"] == stats["successes"] == 2
    assert stats["status_dict"] == {"success": 2}


def test_ground_truth_is_that_of_the_drawn_scenes(tmp_path: Path) -> None:
    write_demo_corpus(tmp_path, seed=4, images=3, val_images=2, shard_size=2, workers=1)
    train, val = (dict(read_ground_truth(tmp_path, split)) for split in ("train", "val"))
    assert list(train) == ["000000000", "000000001", "000010000"]
    assert list(val) == ["000020000", "000020001"]
    assert np.array_equal(train["000010000"], draw_scene(np.random.default_rng([4, 0, 2])).labels)
    assert np.array_equal(val["000020001"], draw_scene(np.random.default_rng([4, 1, 1])).labels)
    assert all(labels.dtype == np.uint8 for labels in train.values())
    classes = json.loads((tmp_path / "ground_truth" / "classes.json").read_bytes())
    assert [entry["name"] for entry in classes] == ["background", *KNOWN, *UNKNOWN]
    assert [entry["name"] for entry in classes if entry["unknown"]] == list(UNKNOWN)


def test_processes_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_demo_corpus(
            tmp_path / str(workers), seed=2, images=4, val_images=2, shard_size=2, workers=workers
        )
    assert _files(tmp_path / "1") == _files(tmp_path / "2")


def test_a_corpus_that_is_there_is_not_drawn_again(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        corpus = write_demo_corpus(
            tmp_path,
            seed=1,
            images=3,
            val_images=1,
            shard_size=2,
            workers=1,
            progress=lambda *step: calls.append(step),
        )
        stamp = corpus.train[0].stat().st_mtime_ns
    assert calls == [(2, 4), (3, 4), (4, 4), (4, 4)]
    assert corpus.train[0].stat().st_mtime_ns == stamp


def test_a_missing_shard_is_drawn_again(tmp_path: Path) -> None:
    corpus = write_demo_corpus(tmp_path, seed=1, images=2, val_images=1, workers=1)
    before = _files(tmp_path)
    corpus.train[0].unlink()
    write_demo_corpus(tmp_path, seed=1, images=2, val_images=1, workers=1)
    assert _files(tmp_path) == before


def test_a_smaller_corpus_leaves_no_shard_of_the_larger(tmp_path: Path) -> None:
    write_demo_corpus(tmp_path / "reused", seed=1, images=4, val_images=1, shard_size=1, workers=1)
    for root in ("reused", "fresh"):
        write_demo_corpus(tmp_path / root, seed=1, images=2, val_images=1, shard_size=1, workers=1)
    assert _files(tmp_path / "reused") == _files(tmp_path / "fresh")


def test_no_key_is_in_both_splits(tmp_path: Path) -> None:
    corpus = write_demo_corpus(tmp_path, seed=1, images=3, val_images=3, shard_size=2, workers=1)
    keys = [name for path in (*corpus.train, *corpus.val) for name in _members(path) if name.endswith(".jpg")]
    assert len(keys) == len(set(keys)) == 6


@pytest.mark.parametrize(
    "wrong", [{"images": -1}, {"val_images": -1}, {"shard_size": 0}, {"shard_size": 10_001}]
)
def test_counts_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="demo corpus"):
        write_demo_corpus(tmp_path, **{"seed": 0, "images": 1, "val_images": 1, "workers": 1} | wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_manifest_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text('{"name": "mine"}')
    with pytest.raises(CorpusError, match="choose another folder"):
        write_demo_corpus(tmp_path, seed=0, images=1, val_images=0, workers=1)
    assert (tmp_path / "corpus.json").read_text() == '{"name": "mine"}'


def test_missing_ground_truth_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no ground truth"):
        next(read_ground_truth(tmp_path, "train"))
