"""The filter stage on captions and files that the web really holds: nothing is lost but what is broken."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from real_captions import data_folder

from maskmill.catalogs.query import query
from maskmill.schemas.config import CorpusConfig, FilterConfig, PoolConfig
from maskmill.schemas.errors import CorpusError, StageError
from maskmill.tasks.caption_filter import filter_run

INLINE = PoolConfig(backend="inline")
WILD = {
    "null": None,
    "empty": "",
    "blank": " \t\n\u00a0",
    "long": "a cat sat on a very long mat " * 360_000,  # 10 MB
    "nul": "a \0 cat",
    "binary": "\x01\x02\x7fcat\x08",
    "right-to-left": "صورة cat قطة على الطاولة",
    "bidi": "\u202ea cat\u202c",
    "emoji": "🐈🐈‍⬛ 👩🏽‍🚀",
    "joined": "a c\u0301at and a ca\u200dt",
    "quotes": "\"a 'cat'\"",
    "markup": "<b>cat</b>&nbsp;<script>alert(1)</script>",
    "lines": "a cat\r\na dog\u2028a car",
    "chinese": "一只猫在桌子上",
}
REASONS = {
    "null": "no_caption",
    "empty": "no_caption",
    "blank": "no_caption",
    "right-to-left": "language",
    "emoji": "no_entity",
    "chinese": "language",
}


def filtered(corpus: Path, catalog: Path, **fields: Any) -> dict[str, dict[str, Any]]:
    """Filter a corpus by the demo's names; return its caption rows by key."""
    pool = PoolConfig(backend="inline", error_limit=0.9)
    reading = CorpusConfig(uri=str(corpus), name="wild", **fields)
    filter_run(reading, str(catalog), FilterConfig(entities="demo", pool=pool))
    rows = query(str(catalog), "FROM captions").to_pylist()
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: row for row in rows}


def check(rows: dict[str, dict[str, Any]], captions: dict[str, str | None]) -> None:
    assert set(rows) == set(captions)
    for key, caption in captions.items():
        row = rows[key]
        assert row["caption"] == caption
        assert row["reason"] == REASONS.get(key, "kept"), key
        for span in row["spans"]:
            assert caption is not None and caption[span["start"] : span["end"]]


def test_wild_captions_in_parquet_are_rows_and_nothing_else_happens(tmp_path: Path) -> None:
    table = pa.table({"key": list(WILD), "caption": pa.array(WILD.values(), pa.string())})
    pq.write_table(table, tmp_path / "wild.parquet")
    began = time.perf_counter()
    rows = filtered(tmp_path / "wild.parquet", tmp_path / "catalog")
    check(rows, WILD)
    assert len(rows["long"]["spans"]) == 360_000
    assert rows["joined"]["entities"] == ["cat"]
    assert rows["lines"]["entities"] == ["cat", "car"]
    assert time.perf_counter() - began < 60


def test_wild_captions_beside_images_are_rows(tmp_path: Path) -> None:
    folder = tmp_path / "wild"
    folder.mkdir()
    for key, caption in WILD.items():
        (folder / f"{key}.jpg").write_bytes(f"image of {key}".encode())
        (folder / f"{key}.json").write_text(json.dumps({"caption": caption}))
    check(filtered(folder, tmp_path / "catalog"), WILD)


def test_a_broken_line_costs_itself(tmp_path: Path) -> None:
    lines = [
        b"a cat\thttp://x/1.jpg",
        b"a dog\thttp://x/2.jpg\tone too many",
        b"invalid \xff\xfe UTF-8 cat\thttp://x/3.jpg",
        b"one too few",
        b"a \xf0\x9f\x90\x88 cat\thttp://x/5.jpg",
        b"a cat again\thttp://x/1.jpg",
        b"\thttp://x/7.jpg",
    ]
    (tmp_path / "wild.tsv").write_bytes(b"\n".join(lines) + b"\n")
    rows = filtered(tmp_path / "wild.tsv", tmp_path / "catalog")
    assert {key: row["reason"] for key, row in rows.items()} == {
        "http://x/1.jpg": "kept",
        "http://x/5.jpg": "kept",
        "http://x/7.jpg": "no_caption",
    }
    errors = query(str(tmp_path / "catalog"), "SELECT reason, detail FROM errors").to_pylist()
    assert sorted(error["reason"] for error in errors) == ["bad_metadata"] * 3 + ["duplicate_key"]
    assert all("line" in error["detail"] for error in errors if error["reason"] == "bad_metadata")


def test_a_shard_that_vanishes_between_plan_and_work_is_given_up_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskmill.catalogs.corpora.parquet import ParquetCorpus

    for name in ("a", "b", "c"):
        pq.write_table(pa.table({"key": [name], "caption": ["a cat"]}), tmp_path / f"{name}.parquet")
    planned = ParquetCorpus.shards

    def plan(self: ParquetCorpus) -> Any:
        shards = planned(self)
        (tmp_path / "b.parquet").unlink(missing_ok=True)
        return shards

    monkeypatch.setattr(ParquetCorpus, "shards", plan)
    rows = filtered(tmp_path, tmp_path / "catalog")
    assert set(rows) == {"a", "c"}
    (error,) = query(str(tmp_path / "catalog"), "SELECT shard_id, reason, detail FROM errors").to_pylist()
    assert (error["shard_id"], error["reason"]) == ("b", "shard_quarantined")


def test_too_many_bad_samples_end_the_run_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "wild.parquet").write_text("no Parquet")
    corpus, config = (
        CorpusConfig(uri=str(tmp_path / "wild.parquet")),
        FilterConfig(entities="demo", pool=INLINE),
    )
    said = r"1 of 1 samples are bad.*most often: unreadable_shard \(1\). Mend the corpus, or raise the limit"
    with pytest.raises(StageError, match=said):
        filter_run(corpus, str(tmp_path / "catalog"), config)
    assert query(str(tmp_path / "catalog"), "FROM errors").num_rows == 0
    lenient = config.model_copy(update={"pool": PoolConfig(backend="inline", error_limit=1)})
    filter_run(corpus, str(tmp_path / "catalog"), lenient)
    (error,) = query(str(tmp_path / "catalog"), "FROM errors").to_pylist()
    assert error["reason"] == "unreadable_shard"


def test_a_corpus_that_is_not_there_is_said_before_a_catalog_is_made(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="gone"):
        filter_run(CorpusConfig(uri=str(tmp_path / "gone.tsv")), str(tmp_path / "catalog"), FilterConfig())
    assert not (tmp_path / "catalog").exists()


@pytest.mark.realdata
def test_entities_are_derived_from_wild_captions_too(tmp_path: Path) -> None:
    nltk_data = data_folder() / "nltk_data"
    if not nltk_data.is_dir():
        pytest.skip(f"no NLTK data at {nltk_data}: set MASKMILL_REALDATA to its folder")
    table = pa.table({"key": list(WILD), "caption": pa.array(WILD.values(), pa.string())})
    pq.write_table(table, tmp_path / "wild.parquet")
    config = FilterConfig(nltk_data=str(nltk_data), pool=PoolConfig(backend="inline"))
    run = filter_run(CorpusConfig(uri=str(tmp_path / "wild.parquet")), str(tmp_path / "catalog"), config)
    assert (run.counts["images"], run.counts["errors"]) == (len(WILD), 0)
    found = query(str(tmp_path / "catalog"), "SELECT entity, count FROM entities WHERE keep").to_pylist()
    assert found[0] == {"entity": "cat", "count": max(row["count"] for row in found)}
