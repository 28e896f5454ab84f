from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.corpora import (
    CocoCorpus,
    DelimitedCorpus,
    FolderCorpus,
    ParquetCorpus,
    TarCorpus,
    open_corpus,
)
from maskmill.catalogs.corpora.columns import Columns
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CorpusError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.json", CocoCorpus),
        ("x/*.parquet", ParquetCorpus),
        ("x.PQ", ParquetCorpus),
        ("x/**/*.tsv", DelimitedCorpus),
        ("x.csv", DelimitedCorpus),
        ("x.tar", TarCorpus),
        ("nowhere", TarCorpus),
    ],
)
def test_a_name_tells_the_format(name: str, kind: type) -> None:
    assert type(open_corpus(CorpusConfig(uri=f"/corpora/{name}"))) is kind


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["0.tar", "0.parquet", "0_stats.json"], TarCorpus),
        (["0.parquet", "a.jpg"], ParquetCorpus),
        (["00000.parquet", "00000/a.jpg", "00000_stats.json"], FolderCorpus),
        (["metadata.csv", "a.jpg"], FolderCorpus),
        (["captions.csv", "images/a.jpg"], DelimitedCorpus),
        (["a.jpg", "a.json"], FolderCorpus),
        (["one/two/three/a.PNG"], FolderCorpus),
    ],
)
def test_a_folder_tells_the_format_by_what_it_holds(tmp_path: Path, files: list[str], kind: type) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert type(open_corpus(CorpusConfig(uri=str(tmp_path)))) is kind


@pytest.mark.parametrize("files", [[], ["a.txt"], ["coco.json", "images/a.jpg"]])
def test_a_folder_without_a_corpus_is_an_error_that_says_what_was_sought(
    tmp_path: Path, files: list[str]
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CorpusError, match=r"no \*\.tar directly in it.*\*\.parquet.*images.*\.json"):
        open_corpus(CorpusConfig(uri=str(tmp_path)))


def test_a_given_format_decides() -> None:
    uri, columns = "/x/y.csv", Columns("k", ("a", "b"), "i")
    config = CorpusConfig(
        uri=uri,
        format="parquet",
        key_column="k",
        caption_columns=("a", "b"),
        image_column="i",
        shard_size=7,
        limit=3,
        images="/i",
    )
    opened = {kind: open_corpus(config.model_copy(update={"format": kind})) for kind in _KINDS}
    assert opened["parquet"] == ParquetCorpus("y", uri, columns, "/i", 7, 3)
    assert opened["delimited"] == DelimitedCorpus("y", uri, columns, "/i", 7, 3)
    assert opened["folder"] == FolderCorpus("y", uri, columns, 7, 3)
    assert opened["coco"] == CocoCorpus("y", uri, "/i", 7, 3)
    assert opened["tar"] == TarCorpus("y", uri, 3)


_KINDS = ("parquet", "delimited", "folder", "coco", "tar")
