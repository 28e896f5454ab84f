from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from maskmill.catalogs.corpora.columns import Columns
from maskmill.catalogs.corpora.delimited import DelimitedCorpus
from maskmill.schemas.errors import CorpusError, ErrorReason
from maskmill.schemas.samples import BadSample, Sample

Read = Callable[..., tuple[list[dict[str, Any]], list[BadSample]]]
Check = Callable[..., None]


def _write(path: Path, text: str | bytes, **options: Any) -> DelimitedCorpus:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return DelimitedCorpus("d", str(path), **options)


def _pairs(rows: list[dict[str, Any]]) -> list[tuple[str, list[str | None]]]:
    return [(row["key"], row["captions"]) for row in rows]


def test_the_url_column_of_a_tsv_without_a_header_is_found(tmp_path: Path, caption_rows: Read) -> None:
    cc3m = _write(tmp_path / "cc3m.tsv", 'a "cat"\thttp://x/1.jpg\nsee http://y\thttps://x/2\n')
    cc12m = _write(tmp_path / "cc12m.tsv", 'http://x/1.jpg\ta "cat"\nhttps://x/2\tsee http://y\n')
    for corpus in (cc3m, cc12m):
        rows, bad = caption_rows(corpus, True)
        assert not bad
        assert _pairs(rows) == [("http://x/1.jpg", ['a "cat"']), ("https://x/2", ["see http://y"])]


def test_lines_of_one_image_are_one_sample(tmp_path: Path, agrees: Check) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "images" / name).write_bytes(name.encode())
    lines = ["image,caption", 'a.jpg,"one, quoted ""a"""', "a.jpg,two", "b.jpg,", "b.jpg,قطة 🐈"]
    corpus = _write(tmp_path / "captions.csv", "\r\n".join(lines))
    (shard,) = corpus.shards()
    assert list(corpus.read(shard)) == [
        Sample("a", b"a.jpg", ('one, quoted "a"', "two")),
        Sample("b", b"b.jpg", (None, "قطة 🐈")),
    ]
    agrees(corpus)


def test_lines_of_one_image_that_lie_apart_are_bad_samples(tmp_path: Path, caption_rows: Read) -> None:
    text = "image,caption\na.jpg,1\nb.jpg,2\na.jpg,3\nb.jpg,4\nc.jpg,5\n"
    rows, bad = caption_rows(_write(tmp_path / "x.csv", text))
    assert _pairs(rows) == [("a", ["1"]), ("b", ["2"]), ("c", ["5"])]
    assert [(b.key, b.reason) for b in bad] == [
        ("a", ErrorReason.DUPLICATE_KEY),
        ("b", ErrorReason.DUPLICATE_KEY),
    ]
    assert "line 4:" in bad[0].detail


def test_broken_lines_are_named_and_nothing_else_is_lost(tmp_path: Path, caption_rows: Read) -> None:
    lines = [b"http://x/0\tzero", b"http://x/1", b"http://x/2\ttwo\tx", b"http://x/3\t\xff", b"\tfour"]
    lines += [b"http://x/5\tfi\0ve", b"", b"http://x/6\t" + "🐈".encode()]
    rows, bad = caption_rows(_write(tmp_path / "x.tsv", b"\n".join(lines)))
    assert _pairs(rows) == [("http://x/0", ["zero"]), ("http://x/6", ["🐈"])]
    assert [b.detail.partition(":")[0] for b in bad] == [f"line {n}" for n in (2, 3, 4, 5, 6)]
    assert {b.reason for b in bad} == {ErrorReason.BAD_METADATA}


def test_large_files_are_cut_into_ranges(tmp_path: Path, caption_rows: Read) -> None:
    lines = [f"{i}.jpg\tcaption {i}{'x' * (i % 7)}" for i in range(500)]
    options: dict[str, Any] = {"columns": Columns(captions=("1",), image="0"), "shard_size": 60}
    corpus = _write(tmp_path / "x.tsv", "\n".join(lines), **options)
    shards = corpus.shards()
    assert 7 <= len(shards) <= 11
    assert [s.first for s in shards[1:]] == [s.last for s in shards[:-1]]
    rows, _ = caption_rows(corpus)
    assert _pairs(rows) == [(str(i), [line.split("\t")[1]]) for i, line in enumerate(lines)]
    limited = DelimitedCorpus("d", corpus.uri, limit=100, **options)
    assert limited.shards() == shards[:2]


def test_web_addresses_make_larger_shards(tmp_path: Path) -> None:
    lines = "".join(f"http://x/{i}\tc\n" for i in range(500))
    assert len(_write(tmp_path / "x.tsv", lines, shard_size=5).shards()) == 1


def test_columns_are_chosen_by_name_or_number(tmp_path: Path, caption_rows: Read) -> None:
    text = 'id\tfile\ttitle\tText\n7\ta.jpg\tt\t"quoted"\n'
    for columns in (Columns("id", ("title", "Text")), Columns("0", ("2", "3")), Columns("id", ("2", "Text"))):
        corpus = _write(tmp_path / "x.tsv", text, columns=columns)
        assert _pairs(caption_rows(corpus)[0]) == [("7", ["t", "quoted"])]
    corpus = _write(tmp_path / "y.txt", "a.jpg\tx\n", columns=Columns(captions=("1",), image="0"))
    assert _pairs(caption_rows(corpus)[0]) == [("a", ["x"])]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", Columns(), "is empty"),
        ("\n\n", Columns(), "is empty"),
        ("a,b\nc,d\n", Columns(), "no header"),
        ("image,caption\na,b\n", Columns(captions=("text",)), "no column 'text'"),
        ("image,caption\na,b\n", Columns(captions=("5",)), "no column '5'.*image, caption"),
        ('"a\n', Columns(), "none of the first 1 lines"),
        ("caption\nx\n", Columns(), "neither a key nor an image"),
    ],
)
def test_a_file_that_cannot_be_understood_is_an_error(
    tmp_path: Path, text: str, columns: Columns, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        _write(tmp_path / "x.csv", text, columns=columns).shards()


def test_a_file_that_vanished_or_changed_is_an_error(tmp_path: Path) -> None:
    corpus = _write(tmp_path / "x.csv", "key,caption\na,b\n")
    (shard,) = corpus.shards()
    with pytest.raises(CorpusError, match="no image column"):
        next(corpus.read(shard))
    (tmp_path / "x.csv").write_text("key,caption\na,b\nc,d\n")
    with pytest.raises(CorpusError, match="has changed"):
        next(corpus.captions(shard, False))
    (tmp_path / "x.csv").unlink()
    with pytest.raises(CorpusError, match="vanished"):
        next(corpus.captions(shard, False))


def test_a_caption_may_have_ten_megabytes(tmp_path: Path, caption_rows: Read) -> None:
    rows, _ = caption_rows(_write(tmp_path / "x.csv", f'image,caption\na,"{"x, " * (10 << 18)}"\nb,c\n'))
    assert [len(row["captions"][0]) for row in rows] == [30 << 18, 1]


def test_a_corpus_in_another_file_system_is_read(agrees: Check) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/corpus/a.csv": b"image,caption\ni.jpg,x\n", "/corpus/i.jpg": b"J"})
    corpus = pickle.loads(pickle.dumps(DelimitedCorpus("d", "memory://corpus")))
    (shard,) = corpus.shards()
    assert list(corpus.read(shard)) == [Sample("i", b"J", ("x",))]
    agrees(corpus)
    fs.rm("/corpus", recursive=True)


@pytest.mark.realdata
def test_real_files_are_read_whole(caption_rows: Read) -> None:
    conse = pytest.importorskip("conse")
    cc3m = conse.data_folder() / "captions" / "cc3m_Validation_GCC-1.1.0.tsv"
    rows, bad = caption_rows(DelimitedCorpus("cc3m", str(cc3m)))
    lines = [line.split("\t") for line in cc3m.read_text("utf-8").split("\n") if line]
    assert (_pairs(rows), bad) == ([(url, [caption]) for caption, url in lines], [])
    rows, bad = caption_rows(
        DelimitedCorpus("flickr8k", str(conse.data_folder() / "flickr8k" / "captions.csv")), True
    )
    assert (len(rows), sum(len(row["captions"]) for row in rows), bad) == (220, 1100, [])
    assert all(row["width"] and row["height"] for row in rows)
