from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskmill.catalogs.corpora.batches import CaptionRow, in_batches
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, FilterConfig, PoolConfig
from maskmill.schemas.errors import ConfigError, CorpusError, ErrorReason, StageError
from maskmill.schemas.samples import BadSample, Sample, Shard, image_id
from maskmill.tasks import caption_filter, nltk_data, nouns
from maskmill.tasks.caption_filter import filter_run
from maskmill.tasks.entities import EntityReason, NounCounts
from maskmill.tasks.runs import RunSummary

INLINE = PoolConfig(backend="inline")
CORPUS = CorpusConfig(uri="memory")


@dataclass
class MemoryCorpus:
    """Captions by shard, of images of 300 x 200 pixels.

    ``broken`` shards raise when they are read, ``reads`` counts what was read, ``digests`` are by key.
    """

    shard_captions: list[list[Sequence[str | None]]]
    bad: list[BadSample] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    name: str = "memory"
    uri: str = "memory"

    def shards(self) -> list[Shard]:
        return [Shard(f"{i:05d}", "memory", str(c)) for i, c in enumerate(self.shard_captions)]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        raise AssertionError("the filter needs no images")

    def captions(self, shard: Shard, content: bool) -> Iterator[pa.RecordBatch | BadSample]:
        return in_batches(self._rows(shard, content))

    def _rows(self, shard: Shard, content: bool) -> Iterator[CaptionRow | BadSample]:
        self.reads.append(shard.shard_id)
        if shard.shard_id in self.broken:
            raise CorpusError(f"{shard.shard_id} is gone")
        if shard.shard_id == "00000":
            yield from self.bad
        for i, captions in enumerate(self.shard_captions[int(shard.shard_id)]):
            key = f"{shard.shard_id}{i:03d}"
            yield CaptionRow(key, tuple(captions), self.digests.get(key) if content else None, 300, 200)


class Said:
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stages: list[tuple[str, int]] = []

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self.stages.append((stage, total))

    def advance(self, done: int, **counts: int) -> None:
        pass

    def finish(self) -> None:
        pass

    def say(self, line: str) -> None:
        self.lines.append(line)


class WordNouns:
    """Stands for the tagger: every word of a caption is a noun, "man" and "woman" are people."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def __call__(self, caption: str) -> dict[str, str]:
        people = dict.fromkeys(("man", "woman"), "people")
        return {word: people.get(word, word) for word in caption.lower().split()}

    def count(self, captions: list[str]) -> NounCounts:
        counts = NounCounts()
        for caption in captions:
            counts.count(self(caption))
        return counts

    def is_known(self, group: str) -> bool:
        return True

    def judge(self, group: str) -> EntityReason:
        return EntityReason.LISTED if group in ("a", "view", "of") else EntityReason.KEPT


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> MemoryCorpus:
    made = MemoryCorpus(
        [
            [("A cat", "view of a mug"), ("nothing here",), ()],
            [("two kittens and a man",), ("A dog", "a woman", "a dog")],
        ]
    )
    monkeypatch.setattr(caption_filter, "open_corpus", lambda config: made)
    return made


@pytest.fixture
def tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nouns, "Nouns", WordNouns)
    monkeypatch.setattr(nltk_data, "ensure_data", lambda folder: None)


@pytest.fixture
def no_nltk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk_data, "ensure_data", lambda folder: "wordnet not found; download: no network")


def rows(catalog: str, table: str, run: RunSummary) -> list[dict[str, Any]]:
    files = Catalog.open(catalog).run_files(table, run.run_id)
    return [row for uri in sorted(files) for row in pq.read_table(uri).to_pylist()]


def test_a_named_set_filters_every_caption_into_a_row(corpus: MemoryCorpus, tmp_path: Path) -> None:
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    assert run.counts == {
        "images": 5,
        "images_kept": 2,
        "captions": 7,
        "captions_kept": 3,
        "entities": 16,
        "errors": 0,
    }
    captions = rows(str(tmp_path), "captions", run)
    assert [(r["key"], r["caption_index"], r["reason"], r["entities"]) for r in captions[:4]] == [
        ("00000000", 0, "kept", ["cat"]),
        ("00000000", 1, "kept", ["cup"]),
        ("00000001", 0, "no_entity", []),
        ("00000002", 0, "no_caption", []),
    ]
    assert captions[0]["image_id"] == image_id("memory", "00000000")
    assert {"start": 10, "end": 13, "entity": "cup"} in captions[1]["spans"]
    top = rows(str(tmp_path), "entities", run)[:2]
    assert [(r["entity"], r["count"], r["rank"], r["keep"], r["reason"]) for r in top] == [
        ("cat", 2, 1, True, "named"),
        ("cup", 1, 2, True, "named"),
    ]


@pytest.mark.usefixtures("tagger")
def test_a_derived_set_is_selected_from_the_corpus_and_recorded(corpus: MemoryCorpus, tmp_path: Path) -> None:
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(min_count=1, top_k=2, pool=INLINE))
    entities = rows(str(tmp_path), "entities", run)
    assert [(r["entity"], r["count"]) for r in entities if r["keep"]] == [("dog", 2), ("people", 2)]
    assert entities[0]["entity"] == "a" and entities[0]["reason"] == "listed_no_region"
    people = next(r for r in entities if r["entity"] == "people")
    assert people["synonyms"] == ["man", "woman"]
    recorded = Catalog.open(str(tmp_path)).run(run.run_id)
    assert recorded is not None
    assert recorded["weights"] == {"entities derived": entities[0]["entity_set"]}
    kept = [r["entities"] for r in rows(str(tmp_path), "captions", run) if r["keep"]]
    assert kept == [["people"], ["dog"], ["people"], ["dog"]]


@pytest.mark.usefixtures("no_nltk")
def test_without_nltk_data_one_line_says_that_the_demo_set_is_used(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    said = Said()
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(pool=INLINE), progress=said)
    (line,) = said.lines
    assert "no network" in line and "'demo'" in line and "python -m nltk.downloader" in line
    assert run.counts["captions_kept"] == 3
    recorded = Catalog.open(str(tmp_path)).run(run.run_id)
    assert recorded is not None and list(recorded["weights"]) == ["entities demo"]
    assert corpus.reads == ["00000", "00001"]


@pytest.mark.usefixtures("tagger")
def test_nltk_data_that_arrives_later_makes_another_run(
    corpus: MemoryCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FilterConfig(pool=INLINE)
    with monkeypatch.context() as patched:
        patched.setattr(nltk_data, "ensure_data", lambda folder: "not found")
        first = filter_run(CORPUS, str(tmp_path), config)
        again = filter_run(CORPUS, str(tmp_path), config)
    later = filter_run(CORPUS, str(tmp_path), config)
    assert again.resumed and again.run_id == first.run_id
    assert later.run_id != first.run_id and not later.resumed


@pytest.mark.usefixtures("tagger")
def test_a_finished_run_is_not_repeated(corpus: MemoryCorpus, tmp_path: Path) -> None:
    config = FilterConfig(min_count=1, pool=INLINE)
    first = filter_run(CORPUS, str(tmp_path), config)
    reads = len(corpus.reads)
    other_pool = config.model_copy(update={"pool": PoolConfig(backend="inline", workers=3), "nltk_data": "x"})
    again = filter_run(CORPUS, str(tmp_path), other_pool)
    assert again.resumed and not first.resumed
    assert (again.run_id, again.counts, again.version) == (first.run_id, first.counts, first.version)
    assert len(corpus.reads) == reads


@pytest.mark.usefixtures("tagger")
def test_an_interrupted_run_goes_on_with_its_entity_set_and_ends_as_if_never_interrupted(
    corpus: MemoryCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FilterConfig(min_count=1, pool=INLINE)
    whole = filter_run(CORPUS, str(tmp_path / "whole"), config)

    class Killed(BaseException):
        pass

    class KilledAtTheSecondShard(Said):
        def advance(self, done: int, **counts: int) -> None:
            if self.stages[-1][0] == "filter captions":
                raise Killed

    with pytest.raises(Killed):
        filter_run(CORPUS, str(tmp_path / "cut"), config, progress=KilledAtTheSecondShard())
    monkeypatch.setattr(nouns, "Nouns", lambda folder: pytest.fail("the set is committed already"))
    corpus.reads.clear()
    cut = filter_run(CORPUS, str(tmp_path / "cut"), config)
    assert corpus.reads == []
    assert (cut.run_id, cut.counts, cut.resumed) == (whole.run_id, whole.counts, False)
    for table in ("captions", "entities"):
        assert rows(str(tmp_path / "cut"), table, cut) == rows(str(tmp_path / "whole"), table, whole)


@pytest.mark.usefixtures("no_nltk")
def test_a_run_under_a_given_id_goes_on_with_the_set_that_took_its_place(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    config = FilterConfig(pool=INLINE)
    first = filter_run(CORPUS, str(tmp_path), config, run_id="mine")
    again = filter_run(CORPUS, str(tmp_path), config, run_id="mine")
    assert first.run_id == again.run_id == "mine" and again.resumed


def test_a_given_run_id_cannot_be_taken_up_with_another_configuration(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE), run_id="mine")
    with pytest.raises(ConfigError, match="mine"):
        filter_run(CORPUS, str(tmp_path), FilterConfig(entities="voc21", pool=INLINE), run_id="mine")


def test_bad_samples_become_error_rows_of_the_filter_stage(corpus: MemoryCorpus, tmp_path: Path) -> None:
    corpus.bad = [BadSample("k", ErrorReason.BAD_METADATA, "json is cut short")]
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    (row,) = rows(str(tmp_path), "errors", run)
    assert (row["stage"], row["key"], row["reason"]) == ("filter", "k", "bad_metadata")
    assert run.counts["errors"] == 1


def test_too_many_bad_samples_fail_the_stage_and_the_run_says_why(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.bad = [BadSample(str(i), ErrorReason.EMPTY_FILE, "no byte") for i in range(9)]
    with pytest.raises(StageError, match="9 of 14 samples are bad"):
        filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE), run_id="mine")
    recorded = Catalog.open(str(tmp_path)).run("mine")
    assert recorded is not None and recorded["status"] == "failed" and "9 of 14" in recorded["reason"]


def test_a_shard_that_cannot_be_read_is_given_up_and_the_others_are_filtered(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.broken = {"00001"}
    said = Said()
    pool = PoolConfig(backend="inline", error_limit=0.5)
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=pool), progress=said)
    (row,) = rows(str(tmp_path), "errors", run)
    assert (row["shard_id"], row["reason"]) == ("00001", "shard_quarantined")
    assert "00001 is gone" in row["detail"]
    assert run.counts["images"] == 3
    assert any("given up" in line for line in said.lines)


@pytest.mark.usefixtures("tagger")
def test_a_corpus_without_a_single_noun_is_filtered_to_nothing_and_says_so(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.shard_captions = [[(), (None, "")], []]
    said = Said()
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(pool=INLINE), progress=said)
    assert run.counts["captions_kept"] == 0 and run.counts["entities"] == 0
    assert any("no noun" in line for line in said.lines)
    assert [r["reason"] for r in rows(str(tmp_path), "captions", run)] == ["no_caption"] * 3


def test_an_unknown_entity_set_is_a_configuration_fault_before_the_corpus_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no vocabulary 'nope'"):
        filter_run(CORPUS, str(tmp_path / "catalog"), FilterConfig(entities="nope", pool=INLINE))
    assert not (tmp_path / "catalog").exists()


def test_equal_images_are_dropped_over_the_whole_corpus_and_their_captions_say_so(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.digests = {"00000000": "x", "00001000": "x", "00001001": "y"}
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    decided = {(r["key"], r["caption_index"]): r["reason"] for r in rows(str(tmp_path), "captions", run)}
    assert decided["00000000", 0] == "kept"
    assert decided["00001000", 0] == "duplicate_image"
    assert decided["00001001", 0] == "no_entity"
    assert (run.counts["images"], run.counts["images_kept"], run.counts["captions_kept"]) == (5, 1, 2)


def test_equal_images_stay_where_that_is_asked_for(corpus: MemoryCorpus, tmp_path: Path) -> None:
    corpus.digests = {"00000000": "x", "00001000": "x"}
    config = FilterConfig(entities="demo", drop_duplicates=False, pool=INLINE)
    filter_run(CORPUS, str(tmp_path / "all"), config)
    run = filter_run(CORPUS, str(tmp_path / "all"), config)
    assert "duplicate_image" not in {r["reason"] for r in rows(str(tmp_path / "all"), "captions", run)}


def test_a_key_that_another_shard_has_taken_is_an_error_and_its_first_image_stays(
    corpus: MemoryCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [CaptionRow("k", ("a cat",)), CaptionRow("l", ("a dog",))]
    monkeypatch.setattr(corpus, "captions", lambda shard, content: in_batches(same), raising=False)
    pool = PoolConfig(backend="inline", error_limit=0.5)
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=pool))
    captions = rows(str(tmp_path), "captions", run)
    assert [(r["key"], r["shard_id"]) for r in captions] == [("k", "00000"), ("l", "00000")]
    errors = rows(str(tmp_path), "errors", run)
    assert [(r["key"], r["shard_id"], r["reason"]) for r in errors] == [
        ("k", "00001", "duplicate_key"),
        ("l", "00001", "duplicate_key"),
    ]


def test_small_images_are_dropped_if_a_limit_is_given(corpus: MemoryCorpus, tmp_path: Path) -> None:
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", min_short_side=201, pool=INLINE))
    assert {r["reason"] for r in rows(str(tmp_path), "captions", run)} == {"too_small"}


@pytest.mark.usefixtures("tagger")
def test_entities_can_be_derived_from_a_sample_and_the_run_says_how_sure_that_is(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.shard_captions = [[("cat",)] * 300, [("dog",)] * 100]
    said = Said()
    config = FilterConfig(sample=0.25, min_count=1, top_k=1, pool=INLINE)
    run = filter_run(CORPUS, str(tmp_path), config, progress=said)
    counted = {r["entity"]: r["count"] for r in rows(str(tmp_path), "entities", run)}
    assert 40 < counted["cat"] < 120
    assert counted["dog"] < counted["cat"]
    assert any("sample" in line for line in said.lines)
    assert run.counts["captions_kept"] == 300


def test_nothing_staged_is_left_behind(corpus: MemoryCorpus, tmp_path: Path) -> None:
    filter_run(CORPUS, str(tmp_path), FilterConfig(entities="demo", pool=INLINE))
    assert not (tmp_path / ".staging").exists()
