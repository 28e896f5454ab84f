from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from maskmill.catalogs.corpora.tar import TarCorpus
from maskmill.schemas.errors import CorpusError, ErrorReason
from maskmill.schemas.samples import Sample

Write = Callable[..., Path]


def _corpus(uri: Path | str, limit: int | None = None) -> TarCorpus:
    return TarCorpus("photos", str(uri), limit)


@pytest.fixture
def folder(tmp_path: Path, write_tar: Write) -> Path:
    """Three shards of two images, written out of order, and what img2dataset leaves beside them."""
    root = tmp_path / "a folder's ü [1]"
    for shard in ("00001", "00000", "00002"):
        write_tar(root / f"{shard}.tar", [(f"{shard}{i}.jpg", b"J") for i in range(2)])
        (root / f"{shard}_stats.json").write_text("{}")
    (root / "below.tar").mkdir()
    return root


def test_shards_of_a_folder_are_its_tars_by_name(folder: Path) -> None:
    shards = _corpus(folder).shards()
    assert [s.shard_id for s in shards] == ["00000", "00001", "00002"]
    assert [s.uri for s in shards] == [str(folder / f"0000{i}.tar") for i in range(3)]
    samples = [sample for shard in shards for sample in _corpus(folder).read(shard)]
    assert [s.key for s in samples] == ["000000", "000001", "000010", "000011", "000020", "000021"]


def test_one_tar_is_a_corpus(folder: Path) -> None:
    (shard,) = _corpus(folder / "00001.tar").shards()
    assert shard.shard_id == "00001"
    assert shard == _corpus(folder).shards()[1]


def test_shard_ids_of_a_pattern_tell_folders_apart(tmp_path: Path, write_tar: Write) -> None:
    for name in ("a/0.tar", "b/0.tar", "b/x.txt"):
        write_tar(tmp_path / name, [("0.jpg", b"J")])
    ids = [s.shard_id for s in _corpus(tmp_path / "*" / "*.tar").shards()]
    assert len(ids) == len(set(ids)) == 2
    assert all("/" not in shard_id for shard_id in ids)
    assert ids == [s.shard_id for s in _corpus(tmp_path / "*" / "0.tar").shards()]


def test_the_fingerprint_changes_with_the_file(folder: Path, write_tar: Write) -> None:
    before = _corpus(folder).shards()
    assert before == _corpus(folder).shards()
    write_tar(folder / "00000.tar", [("0.jpg", b"J" * 2000)])
    os.utime(folder / "00001.tar", (1, 1))
    after = _corpus(folder).shards()
    assert [b.fingerprint == a.fingerprint for b, a in zip(before, after, strict=True)] == [
        False,
        False,
        True,
    ]


def test_a_limit_takes_whole_shards(folder: Path) -> None:
    assert [len(_corpus(folder, limit).shards()) for limit in (1, 2, 3, 100)] == [1, 1, 2, 3]


def test_a_limit_passes_over_broken_shards(folder: Path) -> None:
    (folder / "00000.tar").write_bytes(b"no tar")
    assert len(_corpus(folder, 2).shards()) == 2


def test_a_corpus_in_another_file_system_is_read(tar_bytes: Callable[..., bytes]) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/corpus/00000.tar", tar_bytes([("0.jpg", b"J")]))
    corpus = _corpus("memory://corpus")
    (shard,) = corpus.shards()
    assert list(corpus.read(shard)) == [Sample("0", b"J")]
    fs.rm("/corpus", recursive=True)


def test_a_reader_can_be_pickled(folder: Path) -> None:
    corpus = pickle.loads(pickle.dumps(_corpus(folder)))
    assert corpus.shards() == _corpus(folder).shards()


@pytest.mark.parametrize(
    ("path", "advice"),
    [("missing", "no such file or folder"), ("*.tar", "no tar matches"), ("", r"no \*\.tar directly in")],
)
def test_a_corpus_that_is_not_there_is_an_error(tmp_path: Path, path: str, advice: str) -> None:
    with pytest.raises(CorpusError, match=advice):
        _corpus(tmp_path / path if path else tmp_path).shards()


def test_a_shard_that_vanished_is_an_error(folder: Path) -> None:
    shard = _corpus(folder).shards()[0]
    (folder / "00000.tar").unlink()
    with pytest.raises(CorpusError, match="vanished"):
        next(_corpus(folder).read(shard))


def test_captions_say_what_the_image_says_or_what_is_stated(
    tmp_path: Path, write_tar: Write, caption_rows: Any, agrees: Any, jpeg: Any
) -> None:
    stated = b'{"caption": "a", "width": 9, "height": 8, "sha256": "ab"}'
    members = [("0.jpg", jpeg(6, 4)), ("0.json", stated), ("1.jpg", b"x"), ("1.txt", "قطة".encode())]
    members += [("2.txt", b"no image"), ("3.jpg", jpeg()), ("3.json", b'{"captions": ["\\ud800", null]}')]
    corpus = _corpus(write_tar(tmp_path / "0.tar", members))
    rows, bad = caption_rows(corpus)
    assert [b.reason for b in bad] == [ErrorReason.MISSING_IMAGE]
    assert [row["captions"] for row in rows] == [["a"], ["قطة"], ["?", None]]
    assert [(r["digest"], r["width"], r["height"]) for r in rows] == [("ab", 9, 8), (None,) * 3, (None,) * 3]
    rows, _ = caption_rows(corpus, True)
    assert [(row["width"], row["height"]) for row in rows] == [(6, 4), (None, None), (6, 4)]
    assert all(len(row["digest"]) == 64 for row in rows)
    agrees(_corpus(write_tar(tmp_path / "1.tar", members[:4])))
    (tmp_path / "1.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:2000])
    assert caption_rows(_corpus(tmp_path / "1.tar"))[1][-1].reason == ErrorReason.TRUNCATED_SHARD
