"""The caption filter with a set of entities that it derives from the corpus itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_corpus import CORPUS, INLINE, MemoryCorpus, open_in_memory, rows
from watching import Watcher

from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import FilterConfig, PoolConfig
from maskmill.tasks import nltk_data, nouns
from maskmill.tasks.caption_filter import filter_run
from maskmill.tasks.entities import EntityReason, NounCounts


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> MemoryCorpus:
    return open_in_memory(monkeypatch)


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
def tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nouns, "Nouns", WordNouns)
    monkeypatch.setattr(nltk_data, "ensure_data", lambda folder: None)


@pytest.fixture
def no_nltk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk_data, "ensure_data", lambda folder: "wordnet not found; download: no network")


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
    watcher = Watcher()
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(pool=INLINE), progress=watcher)
    (line,) = watcher.said
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

    class KilledAtTheSecondShard(Watcher):
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


@pytest.mark.usefixtures("tagger")
def test_a_corpus_without_a_single_noun_is_filtered_to_nothing_and_says_so(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.shard_captions = [[(), (None, "")], []]
    watcher = Watcher()
    run = filter_run(CORPUS, str(tmp_path), FilterConfig(pool=INLINE), progress=watcher)
    assert run.counts["captions_kept"] == 0 and run.counts["entities"] == 0
    assert any("no noun" in line for line in watcher.said)
    assert [r["reason"] for r in rows(str(tmp_path), "captions", run)] == ["no_caption"] * 3


@pytest.mark.usefixtures("tagger")
def test_entities_can_be_derived_from_a_sample_and_the_run_says_how_sure_that_is(
    corpus: MemoryCorpus, tmp_path: Path
) -> None:
    corpus.shard_captions = [[("cat",)] * 300, [("dog",)] * 100]
    watcher = Watcher()
    config = FilterConfig(sample=0.25, min_count=1, top_k=1, pool=INLINE)
    run = filter_run(CORPUS, str(tmp_path), config, progress=watcher)
    counted = {r["entity"]: r["count"] for r in rows(str(tmp_path), "entities", run)}
    assert 40 < counted["cat"] < 120
    assert counted["dog"] < counted["cat"]
    assert any("sample" in line for line in watcher.said)
    assert run.counts["captions_kept"] == 300
