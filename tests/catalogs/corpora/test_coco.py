from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs.corpora.coco import CocoCorpus
from maskmill.schemas.errors import CorpusError, ErrorReason
from maskmill.schemas.samples import BadSample, Sample


def _write(folder: Path, body: Any, images: tuple[str, ...] = (), below: str = "images") -> Path:
    for name in images:
        path = folder / below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    folder.mkdir(exist_ok=True)
    path = folder / "coco.json"
    path.write_text(json.dumps(body))
    return path


def _read(corpus: CocoCorpus) -> list[Sample | BadSample]:
    return [sample for shard in corpus.shards() for sample in corpus.read(shard)]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    names = ("c.jpg", "a.jpg", "b.jpg")
    images = [{"id": i, "file_name": name, "width": 4} for i, name in enumerate(names)]
    annotations = [{"image_id": 1, "caption": "a cat"}, {"image_id": 1, "caption": "two"}, {"image_id": 0}]
    return _write(tmp_path / "x", {"images": images, "annotations": annotations}, names)


def test_images_are_sorted_by_file_name_and_take_annotated_captions(coco: Path) -> None:
    assert _read(CocoCorpus("c", str(coco))) == [
        Sample("a", b"a.jpg", ("a cat", "two"), {"id": 1, "file_name": "a.jpg", "width": 4}),
        Sample("b", b"b.jpg", (), {"id": 2, "file_name": "b.jpg", "width": 4}),
        Sample("c", b"c.jpg", (), {"id": 0, "file_name": "c.jpg", "width": 4}),
    ]


def test_captions_of_an_image_entry_go_first(tmp_path: Path) -> None:
    entry = {"id": 1, "file_name": "s/a.jpg", "captions": ["own", None]}
    body = {"images": [entry], "annotations": [{"image_id": 1, "caption": "other"}]}
    (sample,) = _read(CocoCorpus("c", str(_write(tmp_path, body, ("s/a.jpg",)))))
    assert isinstance(sample, Sample)
    assert (sample.key, sample.captions) == ("s/a", ("own", None))


def test_shards_have_the_size_asked_for_and_depend_on_the_json(coco: Path) -> None:
    shards = CocoCorpus("c", str(coco), shard_size=2).shards()
    assert [(s.shard_id, s.first, s.last) for s in shards] == [("00000", 0, 2), ("00001", 2, 3)]
    assert shards == CocoCorpus("c", str(coco), shard_size=2).shards()
    assert len({s.fingerprint for s in shards}) == 2
    coco.write_text(coco.read_text() + " ")
    assert not {s.fingerprint for s in shards} & {s.fingerprint for s in CocoCorpus("c", str(coco)).shards()}


def test_a_limit_takes_no_more_images(coco: Path) -> None:
    taken = [CocoCorpus("c", str(coco), shard_size=2, limit=limit).shards() for limit in (1, 2, 3, 9)]
    assert [[s.last for s in shards] for shards in taken] == [[1], [2], [2, 3], [2, 3]]


def test_images_may_lie_beside_the_json_or_where_told(tmp_path: Path) -> None:
    body = {"images": [{"id": 1, "file_name": "a.jpg"}]}
    beside = _write(tmp_path / "one", body, ("a.jpg",), below=".")
    told = _write(tmp_path / "two", body)
    assert len(_read(CocoCorpus("c", str(beside)))) == 1
    assert _read(CocoCorpus("c", str(told), images=str(tmp_path / "one"))) == _read(
        CocoCorpus("c", str(beside))
    )


def test_a_missing_image_file_is_a_bad_sample(coco: Path) -> None:
    (coco.parent / "images" / "b.jpg").unlink()
    (coco.parent / "images" / "c.jpg").unlink()
    (coco.parent / "images" / "c.jpg").mkdir()
    _, second, third = _read(CocoCorpus("c", str(coco)))
    for key, bad in (("b", second), ("c", third)):
        assert isinstance(bad, BadSample)
        assert (bad.key, bad.reason) == (key, ErrorReason.MISSING_IMAGE)


@pytest.mark.parametrize(
    ("entry", "key", "reason"),
    [
        ({"id": 1}, None, ErrorReason.BAD_METADATA),
        ("a.jpg", None, ErrorReason.BAD_METADATA),
        ({"file_name": 3}, None, ErrorReason.BAD_METADATA),
        ({"file_name": "../a.jpg"}, "../a.jpg", ErrorReason.BAD_METADATA),
        ({"file_name": "/etc/passwd"}, "/etc/passwd", ErrorReason.BAD_METADATA),
        ({"file_name": "a.jpg", "captions": [1]}, "a", ErrorReason.BAD_METADATA),
        ({"file_name": "good.png"}, "good", ErrorReason.DUPLICATE_KEY),
    ],
)
def test_a_bad_entry_is_a_bad_sample(
    tmp_path: Path, entry: Any, key: str | None, reason: ErrorReason
) -> None:
    body = {"images": [entry, {"id": 2, "file_name": "good.jpg"}]}
    samples = _read(CocoCorpus("c", str(_write(tmp_path, body, ("good.jpg", "good.png", "a.jpg")))))
    assert [s for s in samples if isinstance(s, Sample)] == [
        Sample("good", b"good.jpg", (), body["images"][1])
    ]
    (bad,) = (s for s in samples if isinstance(s, BadSample))
    assert (bad.key, bad.reason) == (key, reason)


@pytest.mark.parametrize("body", [[], {}, {"images": []}, {"images": {"a": 1}}, 3])
def test_a_json_without_images_is_an_error(tmp_path: Path, body: Any) -> None:
    with pytest.raises(CorpusError, match="no list 'images'"):
        CocoCorpus("c", str(_write(tmp_path, body))).shards()


def test_a_file_that_is_no_json_or_not_there_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    with pytest.raises(CorpusError, match="cannot be read"):
        CocoCorpus("c", str(path)).shards()
    path.write_bytes(b"{\xff")
    with pytest.raises(CorpusError, match="is not JSON"):
        CocoCorpus("c", str(path)).shards()


def test_a_missing_image_folder_is_an_error(coco: Path) -> None:
    with pytest.raises(CorpusError, match="no image folder '/nowhere'"):
        CocoCorpus("c", str(coco), images="/nowhere").shards()


def test_a_json_that_changed_after_planning_is_an_error(coco: Path) -> None:
    corpus = CocoCorpus("c", str(coco))
    (shard,) = corpus.shards()
    coco.write_text(json.dumps({"images": [{"id": 1, "file_name": "other.jpg"}]}))
    with pytest.raises(CorpusError, match="has changed"):
        next(corpus.read(shard))


def test_a_reader_can_be_pickled_after_use(coco: Path) -> None:
    corpus = CocoCorpus("c", str(coco))
    assert _read(pickle.loads(pickle.dumps(corpus))) == _read(corpus)


def test_captions_alone_need_no_images(coco: Path, caption_rows: Any) -> None:
    shutil.rmtree(coco.parent / "images")
    rows, bad = caption_rows(CocoCorpus("c", str(coco), shard_size=2))
    assert not bad
    assert [(r["key"], r["captions"], r["digest"], r["width"], r["height"]) for r in rows] == [
        ("a", ["a cat", "two"], None, 4, None),
        ("b", [], None, 4, None),
        ("c", [], None, 4, None),
    ]


def test_no_image_is_opened_unless_its_content_is_wanted(
    coco: Path, caption_rows: Any, agrees: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agrees(CocoCorpus("c", str(coco)))
    monkeypatch.setattr("maskmill.catalogs.corpora.coco.load_file", None)
    assert len(caption_rows(CocoCorpus("c", str(coco)))[0]) == 3
    with pytest.raises(TypeError):
        caption_rows(CocoCorpus("c", str(coco)), True)


def test_sizes_are_those_of_the_image_else_those_stated(tmp_path: Path, caption_rows: Any, jpeg: Any) -> None:
    names = ("a.jpg", "b.jpg", "c.jpg")
    entries = [{"file_name": name, "width": 9, "height": 8} for name in names]
    path = _write(tmp_path, {"images": entries}, names[1:])
    (tmp_path / "images" / "c.jpg").write_bytes(jpeg(6, 4, 6))
    rows, bad = caption_rows(CocoCorpus("c", str(path)), True)
    assert not bad
    assert [(row["width"], row["height"]) for row in rows] == [(9, 8), (9, 8), (4, 6)]
    assert [row["digest"] is None for row in rows] == [True, False, False]
    assert len(set(caption_rows(CocoCorpus("c", str(path)))[0][0])) == 5


def test_names_and_captions_that_cannot_be_stored(tmp_path: Path, caption_rows: Any) -> None:
    entries = [{"file_name": "\ud800.jpg"}, {"file_name": "a.jpg", "captions": ["\ud800 cat"]}]
    rows, bad = caption_rows(CocoCorpus("c", str(_write(tmp_path, {"images": entries}))))
    assert [row["captions"] for row in rows] == [["? cat"]]
    assert [(b.key, b.reason) for b in bad] == [(None, ErrorReason.BAD_METADATA)]
