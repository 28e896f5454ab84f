from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from maskmill.catalogs.corpora.columns import Columns
from maskmill.catalogs.corpora.folder import FolderCorpus
from maskmill.schemas.errors import CorpusError, ErrorReason
from maskmill.schemas.samples import BadSample, Sample

Read = Callable[..., tuple[list[dict[str, Any]], list[BadSample]]]
Check = Callable[..., None]


def _folder(root: Path, files: dict[str, str | bytes], **options: Any) -> FolderCorpus:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return FolderCorpus("f", str(root), **options)


def _samples(corpus: FolderCorpus) -> list[Sample | BadSample]:
    return [sample for shard in corpus.shards() for sample in corpus.read(shard)]


def test_captions_lie_beside_the_images(tmp_path: Path, agrees: Check) -> None:
    files = {
        "s/b.JPG": "B",
        "s/b.txt": "\ufeffone\r\n\r\n  two 🐈\n",
        "a.png": "A",
        "a.json": '{"captions": ["x", null]}',
        "a.txt": "not this",
        "c.x.jpg": "C",
        "c.x.json": '{"caption": "قطة"}',
        "d.webp": "D",
        ".hidden/e.jpg": "E",
        "00000_stats.json": "{}",
        "README.md": "no sample",
    }
    corpus = _folder(tmp_path, files)
    assert _samples(corpus) == [
        Sample("a", b"A", ("x", None)),
        Sample("c.x", b"C", ("قطة",)),
        Sample("d", b"D"),
        Sample("s/b", b"B", ("one", "two 🐈")),
    ]
    agrees(corpus)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "metadata.jsonl",
            '{"file_name": "a.jpg", "text": "one"}\n\n{"file_name": "s/b.jpg", "text": ["x", "y"]}',
        ),
        ("metadata.csv", "file_name,text\na.jpg,one\ns/b.jpg,x\ns/b.jpg,y\n"),
    ],
)
def test_metadata_goes_before_what_lies_beside(tmp_path: Path, name: str, text: str) -> None:
    files = {"d/a.jpg": "A", "d/a.txt": "beside", "d/s/b.jpg": "B", "d/c.jpg": "C", "d/c.txt": "beside"}
    corpus = _folder(tmp_path, files | {f"d/{name}": text})
    assert [s.captions for s in _samples(corpus) if isinstance(s, Sample)] == [
        ("one",),
        ("beside",),
        ("x", "y"),
    ]


def test_columns_of_metadata_can_be_named(tmp_path: Path) -> None:
    line = '{"file": "a.jpg", "text": "no", "title": "one", "also": null}'
    columns = Columns(captions=("title", "also"), image="file")
    corpus = _folder(tmp_path, {"a.jpg": "A", "metadata.jsonl": line}, columns=columns)
    assert _samples(corpus) == [Sample("a", b"A", ("one",))]


def test_broken_metadata_costs_its_own_line(tmp_path: Path) -> None:
    lines = [
        b'{"file_name": "a.jpg", "text": "one"}',
        b"{",
        b"[]",
        b'{"text": "x"}',
        b'{"file_name": "\xff"}',
    ]
    lines += [b'{"file_name": "no.jpg", "text": "x"}', b'{"file_name": "a.jpg", "text": 3}']
    corpus = _folder(tmp_path, {"a.jpg": "A", "metadata.jsonl": b"\n".join(lines)})
    sample, *bad = _samples(corpus)
    assert sample == Sample("a", b"A", ("one",))
    faults = {b.detail.partition(" ")[0].rstrip(":"): b.reason for b in bad if isinstance(b, BadSample)}
    places = {f"metadata.jsonl:{n}": ErrorReason.BAD_METADATA for n in (2, 3, 4, 5, 7)}
    assert faults == places | {"metadata.jsonl:6": ErrorReason.MISSING_IMAGE}


def test_metadata_without_the_columns_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no column 'file_name'"):
        _folder(tmp_path, {"a.jpg": "A", "metadata.csv": "image,text\na.jpg,x\n"}).shards()


@pytest.mark.parametrize(
    ("files", "key", "reason"),
    [
        ({"b.txt": "x"}, "b", ErrorReason.MISSING_IMAGE),
        ({"a.png": "A"}, "a", ErrorReason.DUPLICATE_KEY),
        ({"b.jpg": "B", "b.json": "{"}, "b", ErrorReason.BAD_METADATA),
        ({"b.jpg": "B", "b.json": "[]"}, "b", ErrorReason.BAD_METADATA),
        ({"b.jpg": "B", "b.json": '{"caption": 3}'}, "b", ErrorReason.BAD_METADATA),
        ({"b.jpg": "B", "b.txt": b"\xff"}, "b", ErrorReason.BAD_METADATA),
    ],
)
def test_what_is_wrong_is_a_bad_sample(
    tmp_path: Path, files: dict[str, str | bytes], key: str, reason: ErrorReason, agrees: Check
) -> None:
    corpus = _folder(tmp_path, {"a.jpg": "J"} | files)
    sample, bad = _samples(corpus)
    assert sample == Sample("a", b"J")
    assert isinstance(bad, BadSample)
    assert (bad.key, bad.reason) == (key, reason)
    agrees(corpus)


def test_a_broken_json_is_passed_over_where_there_is_a_txt(tmp_path: Path) -> None:
    corpus = _folder(tmp_path, {"a.jpg": "A", "a.json": "{", "a.txt": "one"})
    assert _samples(corpus) == [Sample("a", b"A", ("one",))]


def test_names_that_are_not_utf8_give_keys_that_can_be_stored(tmp_path: Path, caption_rows: Read) -> None:
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(b"J")
    (row,), bad = caption_rows(FolderCorpus("f", str(tmp_path)), True)
    assert (row["key"], bad) == ("\\xff", [])


def test_shards_have_the_size_asked_for_and_depend_on_the_files(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{i}.jpg": "J" for i in range(5)}
    corpus = _folder(tmp_path, files, shard_size=2)
    shards = corpus.shards()
    assert [(s.shard_id, s.first, s.last) for s in shards] == [
        ("00000", 0, 2),
        ("00001", 2, 4),
        ("00002", 4, 5),
    ]
    limited = FolderCorpus("f", str(tmp_path), shard_size=2, limit=3).shards()
    assert [(s.first, s.last) for s in limited] == [(0, 2), (2, 3)]
    (tmp_path / "README.md").write_text("not a part of the corpus")
    assert corpus.shards() == shards
    (tmp_path / "4.txt").write_text("a caption")
    assert not {s.fingerprint for s in shards} & {s.fingerprint for s in corpus.shards()}
    with pytest.raises(CorpusError, match="has changed"):
        next(FolderCorpus("other cache entry", str(tmp_path) + "/").read(shards[0]))


def test_an_image_that_vanished_is_a_bad_sample(tmp_path: Path, caption_rows: Read) -> None:
    corpus = _folder(tmp_path, {"a.jpg": "A", "b.jpg": "B"})
    (shard,) = corpus.shards()
    assert len(list(corpus.read(shard))) == 2
    (tmp_path / "a.jpg").unlink()
    first, second = corpus.read(shard)
    assert isinstance(first, BadSample)
    assert first.reason == ErrorReason.MISSING_IMAGE
    assert second == Sample("b", b"B")
    (batch,) = corpus.captions(shard, True)
    assert batch["digest"].null_count == 1


def test_a_folder_that_is_empty_or_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no images in"):
        FolderCorpus("f", str(tmp_path)).shards()
    with pytest.raises(CorpusError, match="no such folder"):
        FolderCorpus("f", str(tmp_path / "x")).shards()


def test_a_corpus_in_another_file_system_is_read(agrees: Check) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/corpus/s/a.jpg": b"J", "/corpus/s/a.txt": b"x"})
    corpus = pickle.loads(pickle.dumps(FolderCorpus("f", "memory://corpus")))
    assert _samples(corpus) == [Sample("s/a", b"J", ("x",))]
    agrees(corpus)
    fs.rm("/corpus", recursive=True)
