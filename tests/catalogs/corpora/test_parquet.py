from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskmill.catalogs.corpora.columns import Columns
from maskmill.catalogs.corpora.parquet import ParquetCorpus
from maskmill.schemas.errors import CorpusError, ErrorReason
from maskmill.schemas.samples import BadSample, Sample, Shard

Read = Callable[..., tuple[list[dict[str, Any]], list[BadSample]]]
Check = Callable[..., None]


def _write(path: Path, columns: dict[str, Any], **options: Any) -> ParquetCorpus:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return ParquetCorpus("p", str(path))


def _samples(corpus: ParquetCorpus) -> list[Sample | BadSample]:
    return [sample for shard in corpus.shards() for sample in corpus.read(shard)]


def test_image_bytes_captions_and_keys(tmp_path: Path, agrees: Check, jpeg: Callable[..., bytes]) -> None:
    columns = {"key": ["a", "b"], "caption": ["one", None], "jpg": [jpeg(), jpeg(2, 2)]}
    corpus = _write(tmp_path / "a.parquet", columns)
    assert _samples(corpus) == [Sample("a", jpeg(), ("one",)), Sample("b", jpeg(2, 2), (None,))]
    agrees(corpus)


def test_hugging_face_images_are_bytes_or_paths(tmp_path: Path, agrees: Check) -> None:
    (tmp_path / "b.jpg").write_bytes(b"B")
    images = [{"bytes": b"A", "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}, None]
    corpus = _write(tmp_path / "train-0.parquet", {"image": images, "text": [["x", "y"], [], None]})
    first, second, third = _samples(corpus)
    assert first == Sample("train-0-0", b"A", ("x", "y"))
    assert second == Sample("train-0-1", b"B")
    assert third == BadSample("train-0-2", ErrorReason.MISSING_IMAGE, "the row has no image")


def test_several_caption_columns_are_joined_row_by_row(tmp_path: Path, caption_rows: Read) -> None:
    columns = {
        "id": [1, 2, 3],
        "a": ["a1", None, "a3"],
        "b": pa.array([["b1", "c1"], None, []], pa.large_list(pa.large_string())),
        "c": pa.array(["d1", "d2", "d3"]).dictionary_encode(),
    }
    _write(tmp_path / "x.parquet", columns)
    corpus = ParquetCorpus("p", str(tmp_path / "x.parquet"), Columns(captions=("a", "b", "c")))
    rows, bad = caption_rows(corpus)
    assert not bad
    assert [(row["key"], row["captions"]) for row in rows] == [
        ("1", ["a1", "b1", "c1", "d1"]),
        ("2", [None, "d2"]),
        ("3", ["a3", "d3"]),
    ]


def test_metadata_of_img2dataset(tmp_path: Path, caption_rows: Read) -> None:
    columns = {
        "url": ["http://x/0.jpg", "http://x/1.jpg", "http://x/2.jpg"],
        "key": ["0", "1", "2"],
        "caption": ["zero", "one", "two"],
        "status": ["success", "failed_to_download", "success"],
        "error_message": pa.nulls(3, pa.string()),
        "width": [256.0, None, float("nan")],
        "height": [128, 0, 1 << 40],
        "sha256": ["ab", None, None],
    }
    corpus = _write(tmp_path / "00000.parquet", columns)
    for content in (False, True):
        rows, bad = caption_rows(corpus, content)
        assert not bad
        assert rows == [
            {"key": "0", "captions": ["zero"], "digest": "ab", "width": 256, "height": 128},
            {"key": "2", "captions": ["two"], "digest": None, "width": None, "height": None},
        ]


def test_without_a_key_column_the_url_or_path_is_the_key(tmp_path: Path, caption_rows: Read) -> None:
    urls = ["http://x/a.jpg", "s/b.c.jpg", ".hidden", None]
    rows, bad = caption_rows(_write(tmp_path / "x.parquet", {"URL": urls, "TEXT": ["1", "2", "3", "4"]}))
    assert [row["key"] for row in rows] == ["http://x/a.jpg", "s/b.c", ".hidden"]
    assert [(b.key, b.reason) for b in bad] == [(None, ErrorReason.BAD_METADATA)]


def test_repeated_and_missing_keys_are_bad_samples(tmp_path: Path, caption_rows: Read) -> None:
    keys = ["a", None, "b", "a", "", "b"]
    corpus = _write(
        tmp_path / "x.parquet", {"key": keys, "caption": list("uvwxyz"), "jpg": [b"J"] * 6}, row_group_size=2
    )
    rows, bad = caption_rows(corpus)
    assert [(row["key"], row["captions"]) for row in rows] == [("a", ["u"]), ("b", ["w"])]
    faults = [(b.key, b.reason) for b in bad]
    none, again = (None, ErrorReason.BAD_METADATA), ErrorReason.DUPLICATE_KEY
    assert faults == [none, ("a", again), none, ("b", again)]
    assert "row 3" in bad[1].detail
    assert [s for s in _samples(corpus) if isinstance(s, BadSample)] == bad


def test_text_that_is_not_utf8_costs_its_own_row(tmp_path: Path, caption_rows: Read) -> None:
    def broken(values: list[bytes]) -> pa.Array:
        return pa.array(values, pa.binary()).view(pa.string())

    lists = pa.ListArray.from_arrays(pa.array([0, 2, 2, 3], pa.int32()), broken([b"a", b"\xff", b"c"]))
    rows, bad = caption_rows(_write(tmp_path / "x.parquet", {"key": ["0", "1", "2"], "captions": lists}))
    assert [(row["key"], row["captions"]) for row in rows] == [("1", []), ("2", ["c"])]
    assert [(b.key, b.reason) for b in bad] == [("0", ErrorReason.BAD_METADATA)]
    keys = broken([b"\xfe", b"k"])
    rows, bad = caption_rows(_write(tmp_path / "y.parquet", {"key": keys, "caption": ["x", "ÿ"]}))
    assert [row["key"] for row in rows] == ["k"]
    assert "row 0" in bad[0].detail


@pytest.mark.parametrize("text", ["", "a\0b", "قطة على الطاولة", "🐈‍⬛ und 猫", "x" * (10 << 20)])
def test_any_text_is_kept(tmp_path: Path, caption_rows: Read, text: str) -> None:
    rows, _ = caption_rows(_write(tmp_path / "x.parquet", {"key": ["a", "b"], "caption": [text, text]}))
    assert [row["captions"] for row in rows] == [[text], [text]]


def test_long_texts_are_cut_into_several_batches(tmp_path: Path) -> None:
    corpus = _write(tmp_path / "x.parquet", {"key": list("abcde"), "caption": ["x" * (7 << 20)] * 5})
    (shard,) = corpus.shards()
    assert [len(batch) for batch in corpus.captions(shard, False)] == [3, 2]


def test_large_files_are_cut_between_row_groups(tmp_path: Path, agrees: Check) -> None:
    columns = {"caption": [str(i) for i in range(10)], "jpg": [b"%d" % i for i in range(10)]}
    path = tmp_path / "it's [1].parquet"
    _write(path, columns, row_group_size=2)
    corpus = ParquetCorpus("p", str(path), shard_size=3)
    shards = corpus.shards()
    assert [(s.first, s.last) for s in shards] == [(0, 4), (4, 8), (8, 10)]
    assert len({s.shard_id for s in shards}) == 3
    assert [s.captions for s in _samples(corpus) if isinstance(s, Sample)] == [(str(i),) for i in range(10)]
    assert [s.last for s in ParquetCorpus("p", str(path), shard_size=3, limit=5).shards()] == [4, 8]
    agrees(corpus)


def test_files_without_images_make_larger_shards(tmp_path: Path) -> None:
    for name, column in (("web", "http://x/a"), ("paths", "a.jpg")):
        columns = {"caption": ["x"] * 9, "url": [f"{column}{i}" for i in range(9)]}
        _write(tmp_path / f"{name}.parquet", columns, row_group_size=3)
    corpus = ParquetCorpus("p", str(tmp_path), shard_size=4)
    ids = [s.shard_id for s in corpus.shards()]
    assert ids == ["paths.part00000", "paths.part00001", "web"]


def test_a_cut_or_empty_file_is_one_bad_sample(tmp_path: Path, caption_rows: Read) -> None:
    corpus = _write(tmp_path / "whole.parquet", {"caption": ["x"]})
    data = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "none.parquet").mkdir()
    rows, bad = caption_rows(ParquetCorpus("p", str(tmp_path)))
    assert [row["key"] for row in rows] == ["whole-0"]
    assert [(b.key, b.reason) for b in bad] == [(None, ErrorReason.UNREADABLE_SHARD)] * 2
    assert len(caption_rows(corpus)[0]) == 1


def test_a_damaged_row_group_costs_no_other(tmp_path: Path, caption_rows: Read) -> None:
    columns = {"key": [f"{i}" for i in range(9)], "caption": [f"caption {i}" * 9 for i in range(9)]}
    _write(tmp_path / "x.parquet", columns, row_group_size=3, use_dictionary=False, compression="zstd")
    metadata = pq.read_metadata(tmp_path / "x.parquet")
    start = metadata.row_group(1).column(1).data_page_offset
    data = bytearray((tmp_path / "x.parquet").read_bytes())
    data[start : start + 40] = b"\xff" * 40
    (tmp_path / "x.parquet").write_bytes(bytes(data))
    rows, bad = caption_rows(ParquetCorpus("p", str(tmp_path)))
    assert [row["key"] for row in rows] == ["0", "1", "2", "6", "7", "8"]
    assert [b.reason for b in bad] == [ErrorReason.TRUNCATED_SHARD]
    assert "row group 1" in bad[0].detail


def test_a_file_that_vanished_or_changed_is_an_error(tmp_path: Path) -> None:
    corpus = _write(tmp_path / "x.parquet", {"caption": ["x"], "jpg": [b"J"]})
    (shard,) = corpus.shards()
    _write(tmp_path / "x.parquet", {"caption": ["x", "y"], "jpg": [b"J", b"K"]})
    with pytest.raises(CorpusError, match="has changed"):
        next(corpus.captions(shard, False))
    (tmp_path / "x.parquet").unlink()
    for call in (lambda s: corpus.captions(s, False), corpus.read):
        with pytest.raises(CorpusError, match="vanished"):
            next(call(shard))


def test_other_columns_are_other_content(tmp_path: Path) -> None:
    usual = _write(tmp_path / "x.parquet", {"caption": ["x"], "text": ["y"]})
    (shard,) = usual.shards()
    (other,) = ParquetCorpus("p", usual.uri, Columns(captions=("text",))).shards()
    assert isinstance(shard, Shard)
    assert shard.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(captions=("nope",)), "no column 'nope'.*number, picture"),
        (Columns(captions=("number",)), "type int64, which does not fit"),
        (Columns(image="number"), "does not fit"),
        (Columns(), "neither captions nor images"),
    ],
)
def test_columns_that_do_not_fit_are_an_error(tmp_path: Path, columns: Columns, message: str) -> None:
    _write(tmp_path / "x.parquet", {"number": [1], "picture": [b"J"]})
    with pytest.raises(CorpusError, match=message):
        ParquetCorpus("p", str(tmp_path), columns).shards()


def test_captions_without_an_image_column_can_be_filtered_and_not_labelled(tmp_path: Path) -> None:
    corpus = _write(tmp_path / "x.parquet", {"key": ["a"], "caption": ["x"]})
    (shard,) = corpus.shards()
    assert len(list(corpus.captions(shard, True))) == 1
    with pytest.raises(CorpusError, match="no image column"):
        next(corpus.read(shard))


def test_no_image_is_opened_for_captions_alone(tmp_path: Path, caption_rows: Read, agrees: Check) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"A")
    corpus = _write(tmp_path / "x.parquet", {"file_name": ["a.jpg"], "caption": ["x"]})
    agrees(corpus)
    (tmp_path / "images" / "a.jpg").unlink()
    for content in (False, True):
        assert caption_rows(corpus, content)[0][0]["digest"] is None


def test_a_corpus_in_another_file_system_is_read(agrees: Check) -> None:
    fs = fsspec.filesystem("memory")
    with fs.open("/corpus/a.parquet", "wb") as file:
        pq.write_table(pa.table({"key": ["k"], "caption": ["x"], "path": ["p/i.jpg"]}), file)
    fs.pipe_file("/corpus/p/i.jpg", b"J")
    corpus = pickle.loads(pickle.dumps(ParquetCorpus("p", "memory://corpus")))
    assert _samples(corpus) == [Sample("k", b"J", ("x",))]
    agrees(corpus)
    fs.rm("/corpus", recursive=True)
