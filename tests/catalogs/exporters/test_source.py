from __future__ import annotations

from pathlib import Path

import pytest
from exporting import ROTATED, SHARDS, Drawn, commit_run, disc, jpeg, write_shards

from maskmill.catalogs.exporters.config import ExportConfig
from maskmill.catalogs.exporters.source import ExportSource
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError, CorpusError
from maskmill.schemas.labelmap import IGNORE


def test_records_come_in_the_order_of_the_corpus_with_masks_in_that_of_painting(labelled: Catalog) -> None:
    source = ExportSource(labelled.uri, ExportConfig())
    assert source.shards == ("00000", "00001", "00002")
    records = list(source.records("00000"))
    assert [r.key for r in records] == ["0000", "0001", ROTATED]
    assert [(m.label, m.class_id) for m in records[0].masks] == [("dog", 2), ("cat", 1)]
    assert records[0].image == SHARDS["00000"]["0000"].image
    assert (records[2].width, records[2].height) == (128, 96)


def test_without_images_records_are_the_same_but_for_what_the_corpus_holds(
    labelled: Catalog, corpus: Path
) -> None:
    read = list(ExportSource(labelled.uri, ExportConfig()).records("00000"))
    (corpus / "00000.tar").unlink()
    bare = list(ExportSource(labelled.uri, ExportConfig(images="none")).records("00000"))
    assert [(r.key, r.masks, r.split) for r in bare] == [(r.key, r.masks, r.split) for r in read]
    assert {(r.image, r.captions) for r in bare} == {(None, ())}


def test_small_and_doubtful_masks_are_ignored(labelled: Catalog) -> None:
    source = ExportSource(labelled.uri, ExportConfig(min_score=0.2, min_area=2000))
    (record,) = source.records("00001")
    assert {m.label: m.class_id for m in record.masks} == {"dog": IGNORE, "tree": 3, "cat": 1}


def test_a_changed_image_is_refused(labelled: Catalog, corpus: Path) -> None:
    write_shards(corpus, {"00002": {"2000": Drawn(jpeg(99))}})
    with pytest.raises(CatalogError, match="image '2000' has changed since run 'label-1'"):
        list(ExportSource(labelled.uri, ExportConfig()).records("00002"))


def test_lost_images_and_shards_are_missed(labelled: Catalog, corpus: Path) -> None:
    write_shards(corpus, {"00000": {"0000": SHARDS["00000"]["0000"]}})
    (corpus / "00002.tar").unlink()
    source = ExportSource(labelled.uri, ExportConfig())
    with pytest.raises(CatalogError, match="has lost image '0001'"):
        list(source.records("00000"))
    with pytest.raises(CatalogError, match="has no shard '00002'"):
        list(source.records("00002"))


def test_a_corpus_that_moved_is_read_where_it_is_said_to_lie(labelled: Catalog, corpus: Path) -> None:
    corpus.rename(corpus.parent / "moved")
    with pytest.raises(CorpusError):
        list(ExportSource(labelled.uri, ExportConfig()).records("00000"))
    moved = ExportConfig(corpus=CorpusConfig(uri=str(corpus.parent / "moved")))
    assert len(list(ExportSource(labelled.uri, moved).records("00000"))) == 3


def test_runs_and_versions_are_pinned(labelled: Catalog, corpus: Path) -> None:
    commit_run(
        labelled, corpus, {"00002": {"2000": Drawn(jpeg(4), (("fish", 0.5, disc(9, 9, 5)),))}}, "label-2"
    )
    newest = ExportSource(labelled.uri, ExportConfig())
    assert (newest.run_id, newest.shards) == ("label-2", ("00002",))
    assert newest.classes.names == ("background", "fish")
    assert ExportSource(labelled.uri, ExportConfig(version=1)).run_id == "label-1"
    assert ExportSource(labelled.uri, ExportConfig(run_id="label-1")).version == newest.version
    with pytest.raises(CatalogError, match="no finished label run 'label-3'"):
        ExportSource(labelled.uri, ExportConfig(run_id="label-3"))


def test_a_run_without_masks_has_nothing_to_export(catalog: Catalog, corpus: Path) -> None:
    commit_run(catalog, corpus, {"00000": {"0001": SHARDS["00000"]["0001"]}})
    with pytest.raises(CatalogError, match="no class is left to export"):
        ExportSource(catalog.uri, ExportConfig())


def test_a_compacted_run_is_the_same(labelled: Catalog) -> None:
    before = ExportSource(labelled.uri, ExportConfig())
    records = [record for shard in before.shards for record in before.records(shard)]
    compact(labelled.uri)
    after = ExportSource(labelled.uri, ExportConfig())
    assert len(labelled.files("images")) == 1
    assert after.classes == before.classes
    assert [record for shard in after.shards for record in after.records(shard)] == records
